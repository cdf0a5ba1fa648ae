"""EVOS-like: errors and their Laplacian, refreshed rarely; half of the batch at random."""

import torch
from torch import Tensor

from ntkd_lib.inr.samplers.base import Indices, Sampler, SamplerContext, largest
from ntkd_lib.inr.signals import Signal
from ntkd_lib.ranges import check_number


class Evos(Sampler):
    """Half of the batch has the largest fitness of the last refresh, half is drawn evenly.

    Fitness is the squared error plus ``detail`` times the squared Laplacian of the residuals. The looks are
    ``first`` steps apart at the start of ``steps`` and ``last`` steps at their end.

    Source: Zhang et al. (2025), EVOS; reduced to its main parts, hence "-like".

    Args:
        first: Steps between looks at the start.
        last: Steps between looks at the end.
        detail: Weight of the Laplacian.
    """

    def __init__(
        self,
        signal: Signal,
        batch: int,
        seed: int,
        *,
        first: int = 100,
        last: int = 50,
        steps: int = 1000,
        detail: float = 1.0,
    ) -> None:
        for name, value in (("first", first), ("last", last), ("steps", steps)):
            check_number(name, value, 1, whole=True)
        check_number("detail", detail, 0)
        super().__init__(signal, batch, seed)
        self.shape, self.detail = signal.shape, detail
        self.first, self.last, self.steps = first, last, steps
        self.fittest: Tensor | None = None
        self.next = 0

    def indices(self, step: int, state: SamplerContext) -> Indices:
        """Choose by fitness, then evenly."""
        if self.fittest is None or step >= self.next:
            self.fittest = largest(self._fitness(state.residuals()), self.batch // 2)
            done = min(step / self.steps, 1)
            self.next = step + round(self.first + done * (self.last - self.first))
        return self.fill([self.fittest])

    def _fitness(self, residuals: Tensor) -> Tensor:
        rough = laplacian(residuals.T.reshape(-1, *self.shape))
        return residuals.square().sum(1) + self.detail * rough.square().sum(0).reshape(-1)


def laplacian(grid: Tensor) -> Tensor:
    """Sum second differences along every axis but the first; the grid is constant beyond its borders."""
    total = torch.zeros_like(grid)
    for axis in range(1, grid.ndim):
        padded = torch.cat([grid.narrow(axis, 0, 1), grid, grid.narrow(axis, -1, 1)], axis)
        total += padded.diff(n=2, dim=axis)
    return total
