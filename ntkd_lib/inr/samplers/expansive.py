"""Expansive supervision: points on edges in half of the batch, the rest at random."""

from ntkd_lib.inr.samplers.base import Indices, Sampler, SamplerContext, largest
from ntkd_lib.inr.signals import Signal
from ntkd_lib.ranges import check_number


class ExpansiveSupervision(Sampler):
    """Half of the batch is fixed: the points with the strongest edges, thinned evenly; half is drawn evenly.

    Edges are those of Canny's detector in the published code. Here they are the strongest ``reach`` times
    as many gradients as are needed, of which a fixed even draw is kept, so that any signal has them.

    Source: Zhang et al. (2024), expansive supervision.

    Args:
        reach: How many times more edge points there are than places for them.
    """

    def __init__(self, signal: Signal, batch: int, seed: int, *, reach: float = 1.0) -> None:
        """Choose the fixed half once."""
        check_number("reach", reach, 1)
        super().__init__(signal, batch, seed)
        number = batch // 2
        edges = largest(signal.edges, min(self.count, round(reach * number)))
        self.fixed = edges[self.uniform(self.count)[: len(edges)].argsort()[:number]]

    def indices(self, step: int, state: SamplerContext) -> Indices:  # noqa: ARG002
        """Choose the fixed half, then evenly."""
        return self.fill([self.fixed])
