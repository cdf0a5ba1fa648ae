"""Uniform: a new even draw at every step."""

from ntkd_lib.inr.samplers.base import Indices, Sampler, SamplerContext


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
