"""The interface of all samplers, and the draws that they share.

Before each training step a sampler returns indices; after the step it receives the errors at these points.
It works in any training loop that provides a ``SamplerContext``.
"""

from collections.abc import Sequence
from math import isfinite
from numbers import Integral
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ntkd_lib.inr.signals import Signal

Indices = Int[Tensor, " _"]
PerPoint = Float[Tensor, " _"]


@runtime_checkable
class SamplerContext(Protocol):
    """Quantities a sampler can request: `residuals` costs one forward pass, `score` one kernel refresh."""

    def residuals(self) -> Float[Tensor, "n c"]:
        """Prediction minus target at all points: one forward pass."""
        ...

    def score(self, name: str) -> PerPoint:
        """A score of all points by the tangent kernel, by its name: one refresh."""
        ...


class Sampler:
    """Choose the points of each step.

    Args:
        batch: Points per step, from 1 to n.

    Raises:
        ValueError: A batch that is empty or larger than the signal.
    """

    weights: Tensor | None = None

    def __init__(self, signal: Signal, batch: int | Integral, seed: int) -> None:
        self.count, self.device = len(signal.values), signal.values.device
        if isinstance(batch, bool) or not isinstance(batch, Integral) or not 1 <= batch <= self.count:
            raise ValueError(f"batch = {batch} is not allowed; allowed: 1 to {self.count}, all points")
        self.batch = int(batch)
        self.generator = torch.Generator(device=self.device).manual_seed(seed)

    def indices(self, step: int, state: SamplerContext) -> Indices:
        """Choose ``batch`` distinct points of a step.

        Args:
            step: Number of the step, from 0.
            state: Residuals and scores on request.
        """
        raise NotImplementedError

    def observe(self, indices: Indices, residuals: Float[Tensor, "b c"]) -> None:
        """Receive the residuals of the step's own forward pass; most samplers ignore them.

        Their graph is not kept, and any floating type will do.
        """

    def uniform(self, number: int) -> Indices:
        """Draw points evenly, without replacement."""
        return torch.randperm(self.count, generator=self.generator, device=self.device)[:number]

    def fill(self, chosen: Sequence[Indices]) -> Indices:
        """Fill the batch up with evenly drawn points, all distinct."""
        taken = self.mask(chosen)
        order = self.uniform(self.count)
        rest = order[~taken[order]]
        number = self.batch - sum(len(part) for part in chosen)
        return torch.cat([*chosen, rest[:number]])

    def mask(self, chosen: Sequence[Indices]) -> Bool[Tensor, " n"]:
        """Mark the chosen points."""
        taken = torch.zeros(self.count, dtype=torch.bool, device=self.device)
        for part in chosen:
            taken[part] = True
        return taken

    def proportional(self, weights: PerPoint, number: int) -> Indices:
        """Draw points with chances in proportion to weights, by one pass of systematic sampling.

        Points whose share is above ``1 / number`` are met more than once and kept once, so that fewer
        than ``number`` may come back. They are distinct and sorted.

        Raises:
            ValueError: Weights that are not finite.
        """
        edges = weights.double().cumsum(0)
        total = edges[-1].item()
        if not isfinite(total):
            raise ValueError(f"weights: add up to {total}, needs finite numbers: a residual is no number")
        if number == 0 or not total > 0:
            return torch.empty(0, dtype=torch.long, device=self.device)
        start = torch.rand((), generator=self.generator, device=self.device, dtype=torch.float64)
        marks = (torch.arange(number, device=self.device, dtype=torch.float64) + start) * (total / number)
        positions = torch.searchsorted(edges, marks, right=True).clamp_(max=self.count - 1)
        return torch.unique_consecutive(positions)


def largest(score: PerPoint, number: int, taken: Bool[Tensor, " n"] | None = None) -> Indices:
    """Find the points with the largest scores, in falling order.

    >>> largest(torch.tensor([1.0, 3.0, 2.0]), 2)
    tensor([1, 2])
    """
    if taken is not None:
        score = score.masked_fill(taken, -torch.inf)
    return torch.topk(score, number).indices


def magnitude(residuals: Float[Tensor, "n c"]) -> PerPoint:
    """Sum absolute residuals over channels, in 32 bits or more and apart from their graph."""
    size = residuals.detach().abs()
    return (size.float() if size.element_size() < 4 else size).sum(1)
