"""Cells of least squares: EDMD and regression on labels and logits, for every size, ridge and rank."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from ntkd_lib.chapters.koopman_vs_least_squares.inputs import Inputs, read_inputs
from ntkd_lib.chapters.koopman_vs_least_squares.student import guess, imperfect
from ntkd_lib.koopman.dictionaries import Monomials
from ntkd_lib.koopman.edmd import read_out
from ntkd_lib.koopman.least_squares import NormalEquations, normal_equations
from ntkd_lib.koopman.lifted import LiftedInputs
from ntkd_lib.koopman.principal import PrincipalMap, fit_principal
from ntkd_lib.lab.cells import CellResult, Record
from ntkd_lib.lab.seeds import deterministic

WEIGHTS_OF = ("naive", "ls_logits")


def solve(arguments: Mapping[str, Any], needs: Mapping[str, Record]) -> CellResult:
    """Solve all asked-for least-squares problems of one degree from one pass over the data.

    Sums for fewer components are parts of those for the most, since components are nested.

    Args:
        arguments: ``seed``, ``degree``, ``fits`` (each a ``method``, ``components``, ``ridge``, ``rank``),
            ``hardware`` (components whose weights are tested on imperfect hardware, or 0), ``condition``
            (whether condition numbers are wanted).
        needs: ``inputs`` and ``teacher``.

    Returns:
        ``fits``: each with its accuracies in percent; ``condition``: of the lifted training data for each
        number of components, with one common scale and with standardised scores; guesses of each fit.
    """
    deterministic(arguments["seed"])
    largest = max(fit["components"] for fit in arguments["fits"])
    solver = _Solver(read_inputs(needs["inputs"], largest), needs["teacher"], arguments["degree"])
    fits, arrays = [], {}
    for number, fit in enumerate(arguments["fits"]):
        weights = torch.from_numpy(np.ascontiguousarray(solver.weights(fit)))
        lifts = solver.lifts(fit["components"])
        guesses = guess(weights, lifts["test"])
        arrays[f"guesses.{number}"] = guesses.numpy().astype(np.uint8)
        scores = {
            "accuracy": solver.inputs.test.accuracy(guesses),
            "validation": solver.inputs.held_out.accuracy(guess(weights, lifts["held_out"])),
        }
        if fit["components"] == arguments["hardware"] and fit["method"] in WEIGHTS_OF:
            test = read_inputs(needs["inputs"], fit["components"]).test
            scores["hardware"] = imperfect(weights, lifts["train"], test, arguments["seed"])
        fits.append({**fit, **scores})
    condition = solver.conditions(arguments["fits"]) if arguments["condition"] else []
    return CellResult({"fits": fits, "condition": condition}, arrays)


class _Solver:
    """The sums of one degree, and the weights that each fit takes from them."""

    def __init__(self, inputs: Inputs, teacher: Record, degree: int) -> None:
        self.inputs, self.degree = inputs, degree
        hidden = teacher.arrays["hidden"][inputs.rows.numpy()].astype(np.float64)
        self.hidden: PrincipalMap = fit_principal(hidden, hidden.shape[1], scaled=False)
        self.last_layer = tuple(teacher.arrays[name].astype(np.float64) for name in ("weight", "bias"))
        logits = teacher.arrays["logits"][inputs.rows.numpy()].astype(np.float64)
        one_hot = np.eye(10)[inputs.train.labels.numpy()]
        self.width = hidden.shape[1]
        self.monomials = Monomials(inputs.train.scores.shape[1], degree)
        targets = np.hstack([self.hidden.scores(hidden), logits, one_hot])
        self.equations = normal_equations(LiftedInputs(self.monomials, inputs.train.scores), targets)
        self.exponents = self.monomials.exponents()

    def sums(self, components: int) -> NormalEquations:
        """Give the sums of the functions of the leading components alone."""
        return self.equations.restrict(np.flatnonzero(self.exponents[:, components:].sum(1) == 0))

    def weights(self, fit: Mapping[str, Any]) -> np.ndarray:
        """Solve one fit."""
        sums, method = self.sums(fit["components"]), fit["method"]
        first = {"ls_logits": self.width, "ls_onehot": self.width + 10}.get(method, 0)
        count = fit["rank"] if first == 0 else 10
        chosen = NormalEquations(sums.gram, sums.cross[:, first : first + count])
        if first:
            return chosen.solve(fit["ridge"])
        return read_out(chosen, self.hidden, fit["ridge"], self.last_layer)

    def lifts(self, components: int) -> dict[str, LiftedInputs]:
        """Lift the parts of the data by the functions of the leading components."""
        monomials = Monomials(components, self.degree)
        return {
            name: LiftedInputs(monomials, getattr(self.inputs, name).scores[:, :components], memory=0)
            for name in ("train", "held_out", "test")
        }

    def conditions(self, fits: list[Mapping[str, Any]]) -> list[dict[str, float]]:
        """Give condition numbers of the lifted training data."""
        deviations = self.inputs.train.scores.double().std(0).numpy()
        rows = []
        for components in sorted({fit["components"] for fit in fits}):
            sums = self.sums(components)
            powers = Monomials(components, self.degree).exponents()
            scale = np.prod(deviations[:components] ** -powers.astype(float), axis=1)
            rows.append(
                {
                    "components": components,
                    "common": sums.condition(),
                    "standardised": sums.condition(scale),
                }
            )
        return rows
