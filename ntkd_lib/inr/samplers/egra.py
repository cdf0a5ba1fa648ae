"""EGRA: points drawn with probability proportional to the edges of the signal."""

from ntkd_lib.inr.samplers.base import Indices, Sampler, SamplerContext
from ntkd_lib.inr.signals import Signal
from ntkd_lib.ranges import check_number


class Egra(Sampler):
    """Points drawn in proportion to the signal's gradient plus a floor, independent of training.

    Source: Gai et al. (2024), edge-guided sampling; the floor is ours.

    Args:
        floor: Chance if there is no edge, in units of the mean gradient.
    """

    def __init__(self, signal: Signal, batch: int, seed: int, *, floor: float = 0.5) -> None:
        """Compute the chances once."""
        check_number("floor", floor, 0)
        super().__init__(signal, batch, seed)
        self.chances = signal.edges + floor * signal.edges.mean()

    def indices(self, step: int, state: SamplerContext) -> Indices:  # noqa: ARG002
        """Draw the points of a step."""
        return self.fill([self.proportional(self.chances, self.batch)])
