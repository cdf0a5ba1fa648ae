"""Newton's method with preconditioned conjugate gradients, to an optimum with a certificate."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ntkd_lib.koopman.problem import Curvature, Evaluation, Problem

TOLERANCE = 1e-6
STEPS, PRODUCTS = 40, 120  # most Newton steps, and most curvature products in each
SLACK = 1e-6  # of the loss: what rounding may hide in float32
WARM_SHARE, WARM_LEAST, WARM_TOLERANCE = 8, 4096, 1e-2  # first steps on an eighth of the inputs, loosely


@dataclass(frozen=True)
class Optimum:
    """Weights, and how surely they are optimal.

    Attributes:
        weights: W, float64.
        value: F(W).
        gradient: Norm of the gradient relative to that at W = 0, both in float64.
        gap: Upper bound on F(W) - min F; infinite without a ridge.
        steps: Newton steps.
        passes: Passes over the data, products with the curvature counted by the inputs they looked at.
    """

    weights: Float[Tensor, "c m"]
    value: float
    gradient: float
    gap: float
    steps: int
    passes: float


def minimise(
    problem: Problem,
    start: Float[Tensor, "c m"] | None = None,
    *,
    tolerance: float = TOLERANCE,
    steps: int = STEPS,
) -> Optimum:
    """Find the minimum of a convex problem.

    Each step solves ``H D = -g`` by conjugate gradients, preconditioned by one matrix for all classes, to an
    accuracy that grows as the gradient falls; then the step is halved until the loss falls enough.

    Source: Nocedal and Wright (2006), Algorithm 7.1 (line-search Newton-CG) and Eq. 7.3 (accuracy).

    Args:
        problem: Problem.
        start: First weights; zero when left out.
        tolerance: Gradient norm to stop at, relative to that at zero.
        steps: Most Newton steps.

    Returns:
        The optimum, with its certificate.
    """
    zero = torch.zeros(problem.shape, dtype=torch.float64)
    scale = problem.evaluate(zero).gradient.norm().item()
    weights, taken = (zero if start is None else start), 0
    count = len(problem.lifted) // WARM_SHARE
    if start is None and count >= WARM_LEAST:
        part = problem.part(count)
        weights, taken = _descend(part, zero, WARM_TOLERANCE, scale, steps)
        problem.passes += part.passes / WARM_SHARE
    weights, more = _descend(problem, weights, tolerance, scale, steps)
    return certify(problem, weights, taken + more)


def _descend(
    problem: Problem, weights: Float[Tensor, "c m"], tolerance: float, scale: float, steps: int
) -> tuple[Float[Tensor, "c m"], int]:
    here = problem.evaluate(weights)
    for taken in range(steps):
        relative = here.gradient.norm().item() / scale if scale else 0.0
        if relative <= 0.9 * tolerance:
            return weights, taken
        accuracy = max(min(0.1, relative**0.5), 0.4 * tolerance / relative)
        direction = _newton_direction(problem.curvature(here.logits), here.gradient, accuracy)
        weights, here, moved = _line_search(problem, weights, here, direction)
        if not moved:
            return weights, taken + 1
    return weights, steps


def certify(problem: Problem, weights: Float[Tensor, "c m"], steps: int = 0) -> Optimum:
    """Measure in float64 how near weights are to the optimum.

    With a ridge the Fenchel dual of F at the student's own probabilities is a lower bound on min F, and F
    minus that bound is ``tr(G R^-1 G') / (2 ridge)`` with the gradient G: the duality gap needs no
    second solver.

    Args:
        problem: Problem.
        weights: W, float64.
        steps: Newton steps that led there.

    Returns:
        The weights with their certificate.
    """
    passes, exact = problem.passes, problem.double()
    scale = exact.evaluate(torch.zeros_like(weights)).gradient.norm().item()
    here = exact.evaluate(weights)
    relative = here.gradient.norm().item() / scale if scale else 0.0
    return Optimum(weights, here.value, relative, duality_gap(problem, here.gradient), steps, passes)


def duality_gap(problem: Problem, gradient: Float[Tensor, "c m"]) -> float:
    """Bound the excess of the loss over its minimum: ``tr(G R^-1 G') / (2 ridge)``.

    Args:
        problem: Problem.
        gradient: Gradient of the problem.

    Returns:
        Upper bound; infinite without a ridge.
    """
    if problem.ridge == 0:
        return float("inf")
    solved = gradient if problem.penalty is None else torch.linalg.solve(problem.penalty, gradient.T).T
    return (gradient * solved).sum().item() / (2 * problem.ridge)


def _newton_direction(
    curvature: Curvature, gradient: Float[Tensor, "c m"], accuracy: float
) -> Float[Tensor, "c m"]:
    factor = curvature.preconditioner()
    found, rest = torch.zeros_like(gradient), -gradient
    ready = torch.cholesky_solve(rest.T, factor).T
    path, agreement = ready, (rest * ready).sum()
    for _ in range(PRODUCTS):
        bent = curvature.apply(path)
        length = agreement / (path * bent).sum()
        found, rest = found + length * path, rest - length * bent
        if not rest.norm() > accuracy * gradient.norm():
            break
        ready = torch.cholesky_solve(rest.T, factor).T
        agreement, before = (rest * ready).sum(), agreement
        path = ready + agreement / before * path
    return found


def _line_search(
    problem: Problem, weights: Float[Tensor, "c m"], here: Evaluation, direction: Float[Tensor, "c m"]
) -> tuple[Float[Tensor, "c m"], Evaluation, bool]:
    slope = (here.gradient * direction).sum().item()
    slack, length = SLACK * abs(here.value), 1.0
    while length > 1e-4:
        there = problem.evaluate(weights + length * direction)
        if there.value <= here.value + 1e-4 * length * slope + slack:
            return weights + length * direction, there, True
        length /= 2
    return weights, here, False
