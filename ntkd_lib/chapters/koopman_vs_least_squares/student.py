"""Cells that solve a student's convex problem, and what its weights stand when hardware is imperfect."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ntkd_lib.chapters.koopman_vs_least_squares.inputs import Inputs, Part, read_inputs, read_pixels
from ntkd_lib.koopman.dictionaries import Dictionary, Monomials, radial_functions
from ntkd_lib.koopman.hardware import function_scale, missing, noisy, quantise
from ntkd_lib.koopman.lifted import LiftedInputs
from ntkd_lib.koopman.loss import DistillationLoss
from ntkd_lib.koopman.newton import Optimum, minimise
from ntkd_lib.koopman.problem import Problem
from ntkd_lib.lab.cells import CellResult, Record
from ntkd_lib.lab.seeds import derive_seed, deterministic

BITS, NOISE, MISSING = (8, 6, 4, 3), (0.01, 0.03, 0.1, 0.3), (0.01, 0.03, 0.1)


def solve(arguments: Mapping[str, Any], needs: Mapping[str, Record]) -> CellResult:
    """Solve one student's problem and test it once.

    Args:
        arguments: ``seed``, ``components``, ``degree``, ``dictionary``, ``settings`` (alpha, temperature,
            ridge), ``tolerance``, ``hardware``; without ``inputs`` also where to find the images.
        needs: ``inputs``, else the pixels are used; ``teacher`` where alpha is above 0; ``start``, a solution
            nearby to start from, where there is one.

    Returns:
        Accuracies in percent, the certificate, costs; weights and the guess for every test image.
    """
    deterministic(arguments["seed"])
    found = needs.get("inputs")
    inputs = read_inputs(found, arguments["components"]) if found else read_pixels(arguments)
    dictionary = make_dictionary(arguments, inputs)
    problem = make_problem(dictionary, inputs, needs, arguments["settings"])
    start = torch.tensor(needs["start"].arrays["weights"]) if "start" in needs else None
    optimum = minimise(problem, start, tolerance=arguments["tolerance"])
    test = LiftedInputs(dictionary, inputs.test.scores, memory=0)
    guesses = guess(optimum.weights, test)
    values = {
        "accuracy": inputs.test.accuracy(guesses),
        "validation": inputs.held_out.accuracy(
            guess(optimum.weights, LiftedInputs(dictionary, inputs.held_out.scores, memory=0))
        ),
        "functions": dictionary.count,
        **certificate(optimum, arguments["tolerance"]),
    }
    if arguments["hardware"]:
        values["hardware"] = imperfect(optimum.weights, problem.lifted, inputs.test, arguments["seed"])
    arrays = {"weights": optimum.weights.numpy(), "guesses": guesses.numpy().astype(np.uint8)}
    return CellResult(values, arrays)


def certificate(optimum: Optimum, tolerance: float) -> dict[str, Any]:
    """Put in words of a record how near a solution is to the optimum."""
    return {
        "loss": optimum.value,
        "gradient": optimum.gradient,
        "gap": optimum.gap,
        "steps": optimum.steps,
        "passes": optimum.passes,
        "converged": optimum.gradient <= tolerance,
    }


def make_dictionary(arguments: Mapping[str, Any], inputs: Inputs) -> Dictionary:
    """Make the dictionary that a cell asks for.

    Args:
        arguments: ``components``, ``degree``, ``dictionary``, ``seed``; for radial functions a ``width``
            among the settings.

    Returns:
        Monomials, or as many radial functions.
    """
    monomials = Monomials(inputs.train.scores.shape[1], arguments["degree"])
    if arguments["dictionary"] == "monomials":
        return monomials
    generator = torch.Generator().manual_seed(derive_seed("centres", arguments["seed"]))
    width = arguments["settings"]["width"]
    return radial_functions(inputs.train.scores, monomials.count, width, generator)


def make_problem(
    dictionary: Dictionary, inputs: Inputs, needs: Mapping[str, Record], settings: Mapping[str, float]
) -> Problem:
    """Pose a student's problem on the training part.

    Args:
        needs: ``teacher`` where alpha is above 0.
    """
    labels = torch.eye(10)[inputs.train.labels].T.contiguous()
    loss, soft = DistillationLoss(settings["alpha"], settings["temperature"]), labels
    if "teacher" in needs:
        logits = torch.tensor(needs["teacher"].arrays["logits"])[inputs.rows]
        soft = loss.soften(logits.T.contiguous())
    return Problem(LiftedInputs(dictionary, inputs.train.scores), loss, labels, soft, settings["ridge"])


def guess(weights: Float[Tensor, "c m"], lifted: LiftedInputs) -> Tensor:
    """Give the class with the largest logit."""
    used = weights.to(lifted.scores.dtype)
    return torch.cat([(used @ block).argmax(0) for block in lifted])


def imperfect(
    weights: Float[Tensor, "c m"], fitted: LiftedInputs, test: Part, seed: int
) -> dict[str, dict[str, float]]:
    """Test a linear map with few weight levels, noisy functions and dead functions."""
    scale = function_scale(fitted)
    scaled = (weights * scale).float()
    lifted = LiftedInputs(fitted.dictionary, test.scores)
    unit = [block / scale.float()[:, None] for block in lifted]
    found: dict[str, dict[str, float]] = {"bits": {}, "noise": {}, "missing": {}}
    for bits in BITS:
        found["bits"][str(bits)] = test.accuracy(_guesses(quantise(scaled, bits), unit))
    for name, fault, levels in (("noise", noisy, NOISE), ("missing", missing, MISSING)):
        for level in levels:
            generator = torch.Generator()
            # the same failures in every block, fresh noise in each
            generator.manual_seed(derive_seed(name, level, seed))
            state = generator.get_state()
            faulty = []
            for block in unit:
                if name == "missing":
                    generator.set_state(state)
                faulty.append(fault(block, level, generator))
            found[name][str(level)] = test.accuracy(_guesses(scaled, faulty))
    return found


def _guesses(weights: Tensor, blocks: list[Tensor]) -> Tensor:
    return torch.cat([(weights @ block).argmax(0) for block in blocks])
