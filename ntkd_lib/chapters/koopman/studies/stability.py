"""Stability of fits: refits on random 90 % of the training images, teacher and split unchanged."""

import numpy as np
import torch
from jaxtyping import Float

from ntkd_lib.chapters.koopman.inputs import Inputs, read_inputs
from ntkd_lib.chapters.koopman.work import TOLERANCE, LinearFit, Objective, guess, last_layer, pose_problem
from ntkd_lib.koopman import Monomials, minimise, normal_equations, read_out
from ntkd_lib.koopman.lifted import LiftedInputs, fit_principal
from ntkd_lib.lab import CellResult, Record, derive_seed, deterministic
from ntkd_lib.lab.work import work

SHARE = 0.9


@work(cost=lambda **_: 40)
def refits(
    seed: int,
    *,
    degree: int,
    repeats: int,
    students: dict[str, Objective],
    naive: LinearFit,
    inputs: Record,
    teacher: Record,
    tolerance: float = TOLERANCE,
) -> CellResult:
    """Fit students and EDMD to random parts of the training images: accuracies by method and repeat."""
    deterministic(seed)
    parts = read_inputs(inputs, naive.components)
    monomials = Monomials(naive.components, degree)
    test = LiftedInputs(monomials, parts.test.scores)
    accuracies: dict[str, list[float]] = {name: [] for name in (*students, "naive")}
    for repeat in range(repeats):
        generator = torch.Generator().manual_seed(derive_seed("part", seed, repeat))
        order = torch.randperm(len(parts.rows), generator=generator)
        part = parts.restrict(order[: round(SHARE * len(order))].sort().values)
        start = None
        for name, objective in students.items():
            problem = pose_problem(monomials, part, objective, teacher)
            start = weights = minimise(problem, start, tolerance=tolerance).weights
            accuracies[name].append(parts.test.accuracy(guess(weights, test)))
        weights = _fit_edmd(monomials, part, teacher, naive)
        accuracies["naive"].append(parts.test.accuracy(guess(weights, test)))
    return CellResult({"accuracies": accuracies})


def _fit_edmd(
    monomials: Monomials, part: Inputs, teacher: Record, fit: LinearFit
) -> Float[torch.Tensor, "c m"]:
    hidden = teacher.arrays["hidden"][part.rows.numpy()].astype(np.float64)
    fitted = fit_principal(hidden, fit.rank, scaled=False)
    equations = normal_equations(LiftedInputs(monomials, part.train.scores), fitted.scores(hidden))
    weights = read_out(equations, fitted, fit.ridge, last_layer(teacher))
    return torch.from_numpy(np.ascontiguousarray(weights))
