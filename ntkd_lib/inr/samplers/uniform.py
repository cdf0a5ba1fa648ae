"""Uniform: a new even draw at every step."""

from ntkd_lib.inr.samplers.base import Indices, Sampler, State


class Uniform(Sampler):
    """Every point has the same chance; nothing is asked of the training loop.

    >>> from ntkd_lib.inr import waves
    >>> points = Uniform(waves(8, (1,)), batch=16, seed=0).uniform(16)
    >>> len(points.unique())
    16
    """

    def indices(self, step: int, state: State) -> Indices:  # noqa: ARG002
        """Draw the points of a step."""
        return self.uniform(self.batch)


build = Uniform
