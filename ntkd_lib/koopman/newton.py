"""Minimise by Newton's method with preconditioned conjugate gradients, to a certified optimum."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from scipy.optimize import brentq
from torch import Tensor

from ntkd_lib.koopman.preconditioner import Preconditioner, price
from ntkd_lib.koopman.problem import Curvature, Evaluation, Problem

TOLERANCE = 1e-6
STEPS, PRODUCTS = 40, 120  # most Newton steps, and most curvature products in each
NEAR = 0.1  # a slope that has fallen to this share is near enough
SHORTEST, LONGEST = 1e-9, 16.0  # steps; a start far from the optimum can ask for a very short one
WARM_SHARE, WARM_LEAST, WARM_TOLERANCE = 8, 4096, 2e-2  # first steps on an eighth of the inputs, loosely
WARM_ROWS = 8  # at least so many inputs per function: fewer would be fitted far better than the rest


@dataclass(frozen=True)
class Optimum:
    """Weights with a certificate of optimality.

    Attributes:
        weights: W, float64.
        value: F(W).
        gradient: Norm of the gradient, in float64, relative to that at W = 0.
        gap: Upper bound on F(W) - min F; infinite without a ridge.
        passes: Passes over the data: evaluations and products with the curvature.
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

    Each step solves ``H D = -g`` by conjugate gradients, to an accuracy that grows as the gradient falls,
    and goes to the minimum along D. The preconditioner has a block for every class, and
    is renewed whenever as much work as it costs has gone into products since the last.

    Source: Nocedal and Wright (2006), Algorithm 7.1 (line-search Newton-CG) and Eq. 7.3 (accuracy); the exact
    search along D is ours.

    Args:
        start: First weights; zero when left out.
        tolerance: Gradient norm to stop at, relative to that at zero.
        steps: Most Newton steps.
    """
    zero = torch.zeros(problem.shape, dtype=torch.float64)
    scale, least = problem.evaluate(zero).gradient.norm().item(), 8 * torch.finfo(problem.soft.dtype).eps
    # the mean over classes changes no probability, and the ridge wants it to be zero
    weights, taken = (zero if start is None else start - start.mean(0)), 0
    count = max(len(problem.lifted) // WARM_SHARE, WARM_ROWS * problem.shape[1])
    if start is None and WARM_LEAST <= count <= len(problem.lifted) // 2:
        part = problem.part(count)
        weights, taken = _descend(part, zero, WARM_TOLERANCE, scale, steps)
        problem.passes += part.passes * count / len(problem.lifted)
    weights, more = _descend(problem, weights, max(tolerance, least), scale, steps)
    optimum = certify(problem, weights, taken + more, scale)
    if optimum.gradient > tolerance and taken + more < steps:  # single precision was not enough
        exact = problem.double()
        weights, last = _descend(exact, weights, tolerance, scale, steps - more)
        problem.passes += exact.passes
        optimum = certify(problem, weights, taken + more + last, scale)
    return optimum


def _descend(
    problem: Problem, weights: Float[Tensor, "c m"], tolerance: float, scale: float, steps: int
) -> tuple[Float[Tensor, "c m"], int]:
    here, spent, blocks = problem.evaluate(weights), 0, None
    for taken in range(steps):
        relative = here.gradient.norm().item() / scale if scale else 0.0
        if relative <= 0.9 * tolerance:
            return weights, taken
        accuracy = max(min(0.1, relative**0.5), 0.4 * tolerance / relative)
        curvature = problem.curvature(here.logits)
        if blocks is None or spent > price(problem.lifted):
            # at W = 0 all classes have the same curvature
            blocks, spent = curvature.preconditioner(by_class=weights.any().item()), 0
        direction, products = newton_direction(curvature, blocks, here.gradient, accuracy)
        weights, here = _line_search(problem, weights, here, direction)
        spent += products
    return weights, steps


def certify(
    problem: Problem, weights: Float[Tensor, "c m"], steps: int = 0, scale: float | None = None
) -> Optimum:
    """Certify in float64 the distance of weights from the optimum.

    With a ridge the Fenchel dual of F at the student's own probabilities is a lower bound on min F, and F
    minus that bound is ``tr(G R^-1 G') / (2 ridge)`` with the gradient G: the duality gap needs no
    second solver.

    Args:
        weights: W, float64.
        scale: Gradient norm at W = 0; computed when left out.
    """
    passes = problem.passes
    if scale is None:
        scale = problem.evaluate(torch.zeros_like(weights)).gradient.norm().item()
    here = problem.double().evaluate(weights)
    relative = here.gradient.norm().item() / scale if scale else 0.0
    return Optimum(weights, here.value, relative, duality_gap(problem, here.gradient), steps, passes)


def duality_gap(problem: Problem, gradient: Float[Tensor, "c m"]) -> float:
    """Bound the excess over the minimum by ``tr(G R^-1 G') / (2 ridge)``; infinite without a ridge."""
    if problem.ridge == 0:
        return float("inf")
    solved = gradient if problem.penalty is None else torch.linalg.solve(problem.penalty, gradient.T).T
    return (gradient * solved).sum().item() / (2 * problem.ridge)


def newton_direction(
    curvature: Curvature, blocks: Preconditioner, gradient: Float[Tensor, "c m"], accuracy: float
) -> tuple[Float[Tensor, "c m"], int]:
    """Solve ``H D = -g`` by preconditioned conjugate gradients; count the products with H.

    Args:
        accuracy: Norm of the residual to stop at, relative to g.
    """
    direction, rest, products = torch.zeros_like(gradient), -gradient, 0
    path = ready = blocks.solve(rest)
    agreement = (rest * ready).sum()
    while products < PRODUCTS:
        bent = curvature.apply(path)
        length, products = agreement / (path * bent).sum(), products + 1
        direction, rest = direction + length * path, rest - length * bent
        if not rest.norm() > accuracy * gradient.norm():
            break
        ready = blocks.solve(rest)
        agreement, before = (rest * ready).sum(), agreement
        path = ready + agreement / before * path
    return direction, products


def _line_search(
    problem: Problem, weights: Float[Tensor, "c m"], here: Evaluation, direction: Float[Tensor, "c m"]
) -> tuple[Float[Tensor, "c m"], Evaluation]:
    """Minimise along D; logits are linear in W, so the search needs no pass over the data."""
    change, term = problem.logits(direction), problem.penalise(direction)
    fixed, growing = (weights * term).sum().item(), (direction * term).sum().item()

    def slope(length: float) -> float:
        if length == 0:
            return (here.gradient * direction).sum().item()
        return problem.slope(here.logits + length * change, change) + fixed + length * growing

    length = _length(slope)
    there = weights + length * direction
    return there, problem.evaluate(there, here.logits + length * change)


def _length(slope: Callable[[float], float]) -> float:
    """Find a near-zero of a rising slope; 1 if that is near enough."""
    high, first = 1.0, slope(0.0)
    while (at_high := slope(high)) < NEAR * first and high < LONGEST:
        high *= 2
    if at_high <= -NEAR * first or first >= 0:
        return high
    low = high / 4
    while (at_low := slope(low)) > 0 and low > SHORTEST:
        low, high = low / 4, low
    return low if at_low > NEAR * first else brentq(slope, low, high, xtol=0.02 * high)
