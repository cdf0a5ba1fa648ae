"""Cells that fit the linear maps of notebook 04: students by Newton's method, and least squares."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import comb
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ntkd_lib.chapters.koopman.inputs import Inputs, labelled_places, read_inputs, read_pixels
from ntkd_lib.koopman import DistillationLoss, NormalEquations, Problem, minimise, normal_equations, read_out
from ntkd_lib.koopman.dictionaries import Dictionary, Monomials, radial_functions
from ntkd_lib.koopman.lifted import LiftedInputs, fit_principal
from ntkd_lib.lab import CellResult, Record, derive_seed, deterministic
from ntkd_lib.lab.work import Data, work

TOLERANCE = 1e-6
LinearMethod = Literal["naive", "naive_published", "ls_logits", "ls_onehot"]


@dataclass(frozen=True)
class Objective:
    """Objective of a student; with a `width`, radial functions replace the monomials."""

    alpha: float
    temperature: float
    ridge: float
    width: float | None = None


def _student_cost(degree: int, components: int, start: object, **_: object) -> float:
    return 1 + (0.008 if start is None else 0.004) * comb(components + degree, degree)


@work(cost=_student_cost)
def student(
    seed: int,
    *,
    degree: int,
    components: int,
    objective: Objective,
    inputs: Record,
    teacher: Record | None = None,
    start: Record | None = None,
    tolerance: float = TOLERANCE,
    labelled: int | None = None,
) -> CellResult:
    """Solve one student's problem, starting from `start` if there is one, and test it once.

    Where few images are labelled, the teacher's probabilities are the labels of the others; without a teacher
    the others are left out.
    """
    deterministic(seed)
    parts = read_inputs(inputs, components)
    places = None if labelled is None else labelled_places(len(parts.rows), labelled, seed)
    if places is not None and teacher is None:
        parts, places = parts.restrict(places), None
    functions: Dictionary = Monomials(components, degree)
    if objective.width is not None:
        generator = torch.Generator().manual_seed(derive_seed("centres", seed))
        functions = radial_functions(parts.train.scores, functions.count, objective.width, generator)
    return solve(parts, pose_problem(functions, parts, objective, teacher, places), tolerance, start)


@work(cost=lambda **_: 6)
def pixel_student(
    data: Data, seed: int, *, images: int, objective: Objective, tolerance: float = TOLERANCE
) -> CellResult:
    """Solve the problem of a linear map of raw pixels, without a teacher."""
    deterministic(seed)
    parts = read_pixels(data, images, seed)
    functions = Monomials(parts.train.scores.shape[1], 1)
    return solve(parts, pose_problem(functions, parts, objective, None), tolerance)


def solve(parts: Inputs, problem: Problem, tolerance: float, start: Record | None = None) -> CellResult:
    """Find the optimum of a posed problem, and test it once."""
    dictionary = problem.lifted.dictionary
    first = None if start is None else torch.tensor(start.arrays["weights"])
    optimum = minimise(problem, first, tolerance=tolerance)
    values = {
        **score(optimum.weights, dictionary, parts),
        "functions": dictionary.count,
        "loss": optimum.value,
        "gradient": optimum.gradient,
        "gap": optimum.gap,
        "steps": optimum.steps,
        "passes": optimum.passes,
        "converged": optimum.gradient <= tolerance,
    }
    return CellResult(values, {"weights": optimum.weights.numpy()})


def pose_problem(
    dictionary: Dictionary,
    parts: Inputs,
    objective: Objective,
    teacher: Record | None,
    places: Int[Tensor, " k"] | None = None,
) -> Problem:
    """Build a student's problem on the training part."""
    labels = torch.eye(10)[parts.train.labels].T.contiguous()
    loss, soft = DistillationLoss(objective.alpha, objective.temperature), labels
    if teacher is not None:
        logits = torch.tensor(teacher.arrays["logits"])[parts.rows].T.contiguous()
        soft = loss.soften(logits)
        if places is not None:
            labels = logits.softmax(0).index_copy(1, places, labels[:, places])
    return Problem(LiftedInputs(dictionary, parts.train.scores), loss, labels, soft, objective.ridge)


def guess(weights: Float[Tensor, "c m"], lifted: LiftedInputs) -> Int[Tensor, " n"]:
    """Select the class with the largest logit."""
    cast = weights.to(lifted.scores.dtype)
    return torch.cat([(cast @ block).argmax(0) for block in lifted])


def score(
    weights: Float[Tensor, "c m"], dictionary: Dictionary, parts: Inputs, components: int | None = None
) -> dict[str, float]:
    """Test a linear map of functions of the leading components, on test and validation images."""
    named = {"accuracy": parts.test, "validation": parts.held_out}
    return {
        name: part.accuracy(guess(weights, LiftedInputs(dictionary, part.scores[:, :components], memory=0)))
        for name, part in named.items()
    }


@dataclass(frozen=True)
class LinearFit:
    """One least-squares problem; `rank` counts hidden components of EDMD, 0 in other methods."""

    method: LinearMethod
    components: int
    ridge: float
    rank: int


def _linear_cost(degree: int, fits: Sequence[LinearFit], **_: object) -> float:
    return 1 + 0.004 * comb(max(each.components for each in fits) + degree, degree)


@work(cost=_linear_cost)
def least_squares(
    seed: int, *, degree: int, fits: list[LinearFit], inputs: Record, teacher: Record, condition: bool = False
) -> CellResult:
    """Solve all least-squares problems of one degree from one pass over the data: components are nested."""
    deterministic(seed)
    parts = read_inputs(inputs, max(each.components for each in fits))
    sums = NestedSums(parts, teacher, degree)
    results, arrays = [], {}
    for number, each in enumerate(fits):
        weights = sums.solve(each)
        arrays[f"weights.{number}"] = weights.numpy()
        scores = score(weights, Monomials(each.components, degree), parts, each.components)
        results.append({**asdict(each), **scores})
    sizes = sorted({each.components for each in fits}) if condition else []
    conditions = [sums.condition(parts, size) for size in sizes]
    return CellResult({"fits": results, "conditions": conditions}, arrays)


class NestedSums:
    """Normal equations of one degree, for any number of leading components."""

    def __init__(self, parts: Inputs, teacher: Record, degree: int) -> None:
        self.degree = degree
        hidden, logits = (
            teacher.arrays[name][parts.rows.numpy()].astype(np.float64) for name in ("hidden", "logits")
        )
        self.hidden = fit_principal(hidden, hidden.shape[1], scaled=False)
        self.last_layer = last_layer(teacher)
        self.width = hidden.shape[1]
        monomials = Monomials(parts.train.scores.shape[1], degree)
        targets = np.hstack([self.hidden.scores(hidden), logits, np.eye(10)[parts.train.labels.numpy()]])
        self.equations = normal_equations(LiftedInputs(monomials, parts.train.scores), targets)
        self.exponents = monomials.exponents()

    def restrict(self, components: int) -> NormalEquations:
        """Select the sums of the functions of the leading components alone."""
        return self.equations.restrict(np.flatnonzero(self.exponents[:, components:].sum(1) == 0))

    def solve(self, fit: LinearFit) -> Float[Tensor, "c m"]:
        """Solve one fit."""
        sums = self.restrict(fit.components)
        first = {"ls_logits": self.width, "ls_onehot": self.width + 10}.get(fit.method, 0)
        chosen = NormalEquations(sums.gram, sums.cross[:, first : first + (10 if first else fit.rank)])
        if first:
            weights = chosen.solve(fit.ridge)
        else:
            weights = read_out(chosen, self.hidden, fit.ridge, self.last_layer)
        return torch.from_numpy(np.ascontiguousarray(weights))

    def condition(self, parts: Inputs, components: int) -> dict[str, float]:
        """Compute condition numbers with one common scale and with standardised scores."""
        deviations = parts.train.scores.double().std(0).numpy()[:components]
        powers = Monomials(components, self.degree).exponents()
        scale = np.prod(deviations ** -powers.astype(float), axis=1)
        sums = self.restrict(components)
        return {"components": components, "common": sums.condition(), "standardised": sums.condition(scale)}


def last_layer(teacher: Record) -> tuple[Float[np.ndarray, "c w"], Float[np.ndarray, " c"]]:
    """Read weights and biases of a teacher's last layer, in float64."""
    weight, bias = (teacher.arrays[name].astype(np.float64) for name in ("weight", "bias"))
    return weight, bias
