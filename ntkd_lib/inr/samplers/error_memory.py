"""Error memory, our own: last errors from the training pass itself, half proportional, half even."""

import torch
from torch import Tensor

from ntkd_lib.inr.samplers.base import Indices, PerPoint, Sampler, SamplerContext, magnitude
from ntkd_lib.inr.signals import Signal
from ntkd_lib.ranges import check_number


class ErrorMemory(Sampler):
    """Draw one share in proportion to each point's last seen error, the other evenly.

    The errors are those that the training pass computes anyway, so that no point is ever looked at for the
    sampler's sake. They grow old, which the even share and the randomness of the draw make harmless. Points
    that were never seen count as the mean of those that were.

    Args:
        even: Share that is drawn evenly.
        power: Power of the error that chances are in proportion to.
    """

    def __init__(
        self, signal: Signal, batch: int, seed: int, *, even: float = 0.5, power: float = 1.0
    ) -> None:
        check_number("even", even, 0, 1)
        check_number("power", power, 0, 100)
        super().__init__(signal, batch, seed)
        self.hard, self.power = round((1 - even) * batch), power
        self.memory: PerPoint = torch.full((self.count,), torch.nan, device=self.device)
        self.complete = False

    def indices(self, step: int, state: SamplerContext) -> Indices:  # noqa: ARG002
        """Draw by remembered error, then evenly."""
        return self.fill([self.proportional(self._chances(), self.hard)])

    def _chances(self) -> PerPoint:
        if self.complete:
            return self.memory
        unseen = self.memory.isnan()
        self.complete = not unseen.any()
        errors = self.memory[~unseen]
        mean = errors.mean() if len(errors) else torch.ones((), device=self.device)
        return torch.where(unseen, mean, self.memory)

    def observe(self, indices: Indices, residuals: Tensor) -> None:
        """Remember the errors of the step."""
        self.memory[indices] = (magnitude(residuals) ** self.power).to(self.memory)
