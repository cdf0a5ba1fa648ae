"""Soft mining: walkers that climb to large errors, and weights that undo their preference."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ntkd_lib.inr.samplers.base import Indices, Sampler, SamplerContext, magnitude
from ntkd_lib.inr.signals import Signal
from ntkd_lib.ranges import check_number


class SoftMining(Sampler):
    r"""Walkers on the grid move by Langevin steps towards errors; the loss is divided by their density.

    A walker at ``x`` goes to ``x + drift sign(grad q(x)) + noise xi`` with the density ``q`` in proportion to
    the last seen error, rounded to the grid. Walkers that meet are replaced by even draws, as is a share
    ``restart`` at every step. The loss of a point is weighted by ``q^{-softness}``.

    Source: Kheradmand et al. (2024), soft mining; on the grid of the signal in place of continuous
    coordinates, and with remembered errors in place of the gradient of the network.

    Args:
        drift: Length of a step uphill, in grid points.
        noise: Standard deviation of a random step, in grid points.
        softness: Power of the weights; 1 leaves the expected gradient unbiased.
        restart: Share of walkers that are drawn anew.
    """

    def __init__(
        self,
        signal: Signal,
        batch: int,
        seed: int,
        *,
        drift: float = 0.5,
        noise: float = 2.0,
        softness: float = 0.8,
        restart: float = 0.1,
    ) -> None:
        for name, value in (("drift", drift), ("noise", noise)):
            check_number(name, value, 0)
        for name, value in (("softness", softness), ("restart", restart)):
            check_number(name, value, 0, 1)
        super().__init__(signal, batch, seed)
        self.shape = torch.tensor(signal.shape, device=self.device)
        self.drift, self.noise = drift, noise
        self.softness, self.restart = softness, restart
        self.memory = torch.ones(self.count, device=self.device)
        self.walkers = self.uniform(batch)

    def indices(self, step: int, state: SamplerContext) -> Indices:  # noqa: ARG002
        """Move the walkers."""
        walkers = self.walkers[: len(self.walkers) - round(self.restart * self.batch)]
        place = torch.stack(torch.unravel_index(walkers, tuple(self.shape.tolist())), 1)
        step_up = self.drift * self._slope(place).sign()
        jump = torch.randn(place.shape, generator=self.generator, device=self.device)
        moved = (place + step_up + self.noise * jump).round().long()
        moved = torch.minimum(moved.clamp_min(0), self.shape - 1)
        chosen = self.fill([self._flat(moved).unique()])
        self.walkers = chosen[torch.randperm(self.batch, generator=self.generator, device=self.device)]
        density = self.memory[self.walkers] / self.memory.mean()
        weights = density.clamp_min(0.05).pow(-self.softness)
        self.weights = weights / weights.mean()
        return self.walkers

    def _slope(self, place: Int[Tensor, "k d"]) -> Float[Tensor, "k d"]:
        """Compare the memory of each point's two neighbours along each axis."""
        slopes = []
        for unit in torch.eye(len(self.shape), dtype=torch.long, device=self.device):
            ahead = torch.minimum(place + unit, self.shape - 1)
            behind = (place - unit).clamp_min(0)
            slopes.append(self.memory[self._flat(ahead)] - self.memory[self._flat(behind)])
        return torch.stack(slopes, 1)

    def _flat(self, place: Int[Tensor, "k d"]) -> Int[Tensor, " k"]:
        flat = torch.zeros_like(place[:, 0])
        for axis, size in enumerate(self.shape.tolist()):
            flat = flat * size + place[:, axis]
        return flat

    def observe(self, indices: Indices, residuals: Tensor) -> None:
        """Remember the errors of the step."""
        self.memory[indices] = (magnitude(residuals) + 1e-8).to(self.memory)
