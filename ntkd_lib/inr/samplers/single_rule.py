"""Samplers of one rule: every point, an even draw, edges of the signal, or the largest errors."""

import torch
from torch import Tensor

from ntkd_lib.inr.samplers.base import Indices, Sampler, SamplerContext, largest, magnitude
from ntkd_lib.inr.signals import Signal
from ntkd_lib.ranges import check_number, check_word


class FullBatch(Sampler):
    """All points, in order; the training loop works on them in chunks."""

    def indices(self, step: int, state: SamplerContext) -> Indices:  # noqa: ARG002
        """Choose all points."""
        return torch.arange(self.count, device=self.device)


class UniformDraw(Sampler):
    """Points drawn with equal probability, independent of training.

    >>> from ntkd_lib.inr import waves
    >>> points = UniformDraw(waves(8, (1,)), batch=16, seed=0).uniform(16)
    >>> len(points.unique())
    16
    """

    def indices(self, step: int, state: SamplerContext) -> Indices:  # noqa: ARG002
        """Draw the points of a step."""
        return self.uniform(self.batch)


class ErrorMix(Sampler):
    """NINT without its kernel: the share ``1 - xi`` with the largest errors, the rest drawn evenly.

    Args:
        xi: Share that is drawn evenly.
    """

    def __init__(self, signal: Signal, batch: int, seed: int, *, xi: float = 0.7) -> None:
        check_number("xi", xi, 0, 1)
        super().__init__(signal, batch, seed)
        self.hard = round((1 - xi) * batch)

    def indices(self, step: int, state: SamplerContext) -> Indices:  # noqa: ARG002
        """Choose by error, then evenly."""
        return self.fill([largest(magnitude(state.residuals()), self.hard)])


class Egra(Sampler):
    """Points drawn in proportion to the signal's gradient plus a floor, independent of training.

    Source: Gai et al. (2024), edge-guided sampling; the floor is ours.

    Args:
        floor: Chance if there is no edge, in units of the mean gradient.
    """

    def __init__(self, signal: Signal, batch: int, seed: int, *, floor: float = 0.5) -> None:
        check_number("floor", floor, 0)
        super().__init__(signal, batch, seed)
        self.chances = signal.edges + floor * signal.edges.mean()

    def indices(self, step: int, state: SamplerContext) -> Indices:  # noqa: ARG002
        """Draw the points of a step."""
        return self.fill([self.proportional(self.chances, self.batch)])


class ExpansiveSupervision(Sampler):
    """Half of the batch is fixed: the points with the strongest edges, thinned evenly; half is drawn evenly.

    Edges are those of Canny's detector in the published code. Here they are the strongest ``reach`` times
    as many gradients as are needed, of which a fixed even draw is kept, so that any signal has them.

    Source: Zhang et al. (2024), expansive supervision.

    Args:
        reach: How many times more edge points there are than places for them.
    """

    def __init__(self, signal: Signal, batch: int, seed: int, *, reach: float = 1.0) -> None:
        check_number("reach", reach, 1)
        super().__init__(signal, batch, seed)
        number = batch // 2
        edges = largest(signal.edges, min(self.count, round(reach * number)))
        self.fixed = edges[self.uniform(self.count)[: len(edges)].argsort()[:number]]

    def indices(self, step: int, state: SamplerContext) -> Indices:  # noqa: ARG002
        """Choose the fixed half, then evenly."""
        return self.fill([self.fixed])


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
