"""Dictionaries of random projections through one nonlinear function, such as hardware offers."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

Primitive = Callable[[Float[Tensor, "k n"]], Float[Tensor, "k n"]]


@dataclass(frozen=True)
class RandomFeatures:
    r"""A constant and one function of random projections.

    $$\psi_j(p) = g(w_j \cdot p + b_j)$$

    With $g(u) = u^2$, the response of a detector, $\binom{d + 2}{2}$ functions span the monomials of degree 2
    or less.

    Source: Rahimi and Recht (2008), Sec. 1, for the form; the functions are ours.

    Attributes:
        directions: Directions w, ``(m - 1, d)``.
        offsets: Offsets b, ``(m - 1, 1)``.
        primitive: Function g, applied to each entry.
    """

    directions: Float[Tensor, "k d"]
    offsets: Float[Tensor, "k 1"]
    primitive: Primitive

    @property
    def count(self) -> int:
        """Number M of functions."""
        return len(self.directions) + 1

    def lift(self, scores: Float[Tensor, "n d"]) -> Float[Tensor, "m n"]:
        """Compute the functions' values at some inputs."""
        directions, offsets = (part.to(scores.dtype) for part in (self.directions, self.offsets))
        values = self.primitive(directions @ scores.T + offsets)
        return torch.cat([torch.ones_like(values[:1]), values])


def random_features(
    scores: Float[Tensor, "n d"], count: int, primitive: Primitive, scale: float, generator: torch.Generator
) -> RandomFeatures:
    """Draw Gaussian directions and offsets for a number of functions, the constant included.

    Args:
        scale: Root mean square of the projections over the inputs, beside offsets of 1.
    """
    directions = torch.randn(count - 1, scores.shape[1], generator=generator)
    size = scores.float().square().sum(1).mean().sqrt()
    offsets = torch.randn(count - 1, 1, generator=generator)
    return RandomFeatures(scale / size * directions, offsets, primitive)
