"""NINT without its kernel: the largest errors and an even draw."""

from ntkd_lib.inr.samplers.base import Indices, Sampler, SamplerContext, largest, magnitude
from ntkd_lib.inr.signals import Signal
from ntkd_lib.ranges import check_number


class ErrorMix(Sampler):
    """The share ``1 - xi`` with the largest errors of the present weights, the rest drawn evenly.

    Args:
        xi: Share that is drawn evenly.
    """

    def __init__(self, signal: Signal, batch: int, seed: int, *, xi: float = 0.7) -> None:
        """Store the share."""
        check_number("xi", xi, 0, 1)
        super().__init__(signal, batch, seed)
        self.hard = round((1 - xi) * batch)

    def indices(self, step: int, state: SamplerContext) -> Indices:  # noqa: ARG002
        """Choose by error, then evenly."""
        return self.fill([largest(magnitude(state.residuals()), self.hard)])
