"""Cells that refit on random 90 % of the training images, teacher and split unchanged."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from ntkd_lib.chapters.koopman_vs_least_squares.inputs import Inputs, Part, read_inputs
from ntkd_lib.chapters.koopman_vs_least_squares.student import guess, make_problem
from ntkd_lib.koopman.dictionaries import Monomials
from ntkd_lib.koopman.edmd import read_out
from ntkd_lib.koopman.least_squares import normal_equations
from ntkd_lib.koopman.lifted import LiftedInputs
from ntkd_lib.koopman.newton import minimise
from ntkd_lib.koopman.principal import fit_principal
from ntkd_lib.lab.cells import CellResult, Record
from ntkd_lib.lab.seeds import derive_seed, deterministic

SHARE = 0.9


def solve(arguments: Mapping[str, Any], needs: Mapping[str, Record]) -> CellResult:
    """Fit students and EDMD to random parts of the training images.

    Args:
        arguments: ``seed``, ``components``, ``degree``, ``repeats``, ``students`` (settings by name),
            ``naive`` (ridge and rank), ``tolerance``.
        needs: ``inputs`` and ``teacher``.

    Returns:
        ``accuracy``: percent by method, one value a repetition.
    """
    deterministic(arguments["seed"])
    inputs = read_inputs(needs["inputs"], arguments["components"])
    monomials = Monomials(arguments["components"], arguments["degree"])
    test = LiftedInputs(monomials, inputs.test.scores)
    found: dict[str, list[float]] = {name: [] for name in (*arguments["students"], "naive")}
    for repeat in range(arguments["repeats"]):
        part = _part(inputs, derive_seed("part", arguments["seed"], repeat))
        start = None
        for name, settings in arguments["students"].items():
            problem = make_problem(monomials, part, needs, settings)
            start = weights = minimise(problem, start, tolerance=arguments["tolerance"]).weights
            found[name].append(inputs.test.accuracy(guess(weights, test)))
        weights = _naive(monomials, part, needs["teacher"], arguments["naive"])
        found["naive"].append(inputs.test.accuracy(guess(weights, test)))
    return CellResult({"accuracy": found})


def _part(inputs: Inputs, seed: int) -> Inputs:
    count = len(inputs.rows)
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    kept = order[: round(SHARE * count)].sort().values
    train = Part(inputs.train.scores[kept], inputs.train.labels[kept])
    return Inputs(train, inputs.held_out, inputs.test, inputs.rows[kept])


def _naive(monomials: Monomials, part: Inputs, teacher: Record, settings: Mapping[str, Any]) -> torch.Tensor:
    hidden = teacher.arrays["hidden"][part.rows.numpy()].astype(np.float64)
    fitted = fit_principal(hidden, settings["rank"], scaled=False)
    equations = normal_equations(LiftedInputs(monomials, part.train.scores), fitted.scores(hidden))
    last_layer = tuple(teacher.arrays[name].astype(np.float64) for name in ("weight", "bias"))
    return torch.from_numpy(np.ascontiguousarray(read_out(equations, fitted, settings["ridge"], last_layer)))
