"""Stability of fits: refits on random 90 % of the training images, teacher and split unchanged."""

import torch

from ntkd_lib.chapters.koopman.inputs import read_inputs
from ntkd_lib.chapters.koopman.work import TOLERANCE, LinearFit, NestedSums, Objective, guess, pose_problem
from ntkd_lib.koopman import Monomials, minimise
from ntkd_lib.koopman.lifted import LiftedInputs
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
        weights = NestedSums(part, teacher, degree).solve(naive)
        accuracies["naive"].append(parts.test.accuracy(guess(weights, test)))
    return CellResult({"accuracies": accuracies})
