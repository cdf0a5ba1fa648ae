"""INT: the largest errors alone, searched at every step or ever more rarely."""

from torch import Tensor

from ntkd_lib.inr.samplers.base import Indices, Sampler, SamplerContext, largest, magnitude
from ntkd_lib.inr.signals import Signal
from ntkd_lib.ranges import check_number, check_word


class IntTeaching(Sampler):
    """A batch of the points with the largest errors.

    ``dense`` looks for them at every step. ``incremental`` keeps a choice for ever longer: one step at first,
    one more after each look, up to ``longest``.

    Source: Zhang et al. (2024), nonparametric teaching of implicit neural representations; the growth of the
    interval is our reading of "incremental".

    Args:
        seed: Seed, for draws that it does not make.
        incremental: Whether a choice is kept for longer and longer.
        longest: Steps that a choice is kept at most.
    """

    def __init__(
        self, signal: Signal, batch: int, seed: int, *, incremental: bool = False, longest: int = 50
    ) -> None:
        """Start with no choice."""
        check_word("incremental", incremental, (True, False))
        check_number("longest", longest, 1, whole=True)
        super().__init__(signal, batch, seed)
        self.longest = longest if incremental else 1
        self.choice: Tensor | None = None
        self.interval = self.left = 0

    def indices(self, step: int, state: SamplerContext) -> Indices:  # noqa: ARG002
        """Choose by error, or keep the last choice."""
        if self.left == 0 or self.choice is None:
            self.choice = largest(magnitude(state.residuals()), self.batch)
            self.interval = min(self.interval + 1, self.longest)
            self.left = self.interval
        self.left -= 1
        return self.choice
