"""Dictionaries: the fixed nonlinear functions of PCA scores that a linear map combines."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations_with_replacement
from math import comb
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor


@runtime_checkable
class Dictionary(Protocol):
    """Interface of dictionaries: the number of functions and their values."""

    @property
    def count(self) -> int:
        """Number M of functions, the constant included."""
        ...

    def lift(self, scores: Float[Tensor, "n d"]) -> Float[Tensor, "m n"]:
        """Compute the value of each function at each row of scores."""
        ...


@dataclass(frozen=True)
class Monomials:
    r"""All monomials of total degree at most q in d scores.

    $$\psi_e(p) = \prod_i p_i^{e_i}, \quad \sum_i e_i \le q, \qquad M = \binom{d + q}{q}$$

    Source: Kimura and Ohkubo (2026), abstract, for the dictionary; the order is ours: by degree, then
    lexicographic, as scikit-learn's ``PolynomialFeatures`` has it.

    Attributes:
        degree: Largest total degree q.

    >>> Monomials(40, 3).count
    12341
    """

    components: int
    degree: int

    @property
    def count(self) -> int:
        """Number M of functions."""
        return comb(self.components + self.degree, self.degree)

    @property
    def products(self) -> int:
        """Nonlinear multiplications per input: each monomial of degree 2 or more is one more product."""
        return self.count - self.components - 1

    def exponents(self) -> Int[np.ndarray, "m d"]:
        """List the exponent of each score in each monomial, in the order of the functions."""
        rows = [
            np.bincount(chosen, minlength=self.components) if chosen else np.zeros(self.components, int)
            for degree in range(self.degree + 1)
            for chosen in combinations_with_replacement(range(self.components), degree)
        ]
        return np.array(rows).reshape(self.count, self.components)

    def lift(self, scores: Float[Tensor, "n d"]) -> Float[Tensor, "m n"]:
        """Compute the monomials of some inputs, one product each.

        Those of degree k that begin with score i are score i times those of degree k - 1 that begin with
        score i or a later one, which lie in one piece. With one row per function all products and writes are
        of neighbours.
        """
        rows = scores.T.contiguous()
        parts, last, starts = [torch.ones_like(rows[:1]), rows], rows, list(range(self.components))
        for _ in range(2, self.degree + 1):
            pieces = [rows[i] * last[start:] for i, start in enumerate(starts)]
            starts = [0, *np.cumsum([len(piece) for piece in pieces[:-1]]).tolist()]
            last = torch.cat(pieces)
            parts.append(last)
        return torch.cat(parts[: self.degree + 1])


@dataclass(frozen=True)
class RadialFunctions:
    r"""A constant and Gaussians around fixed centres.

    $$\psi_j(p) = \exp\!\left(-\lVert p - c_j \rVert^2 / 2 w^2\right)$$

    Source: named as future work by Kimura and Ohkubo (2026).

    Attributes:
        centres: Centres, ``(m - 1, d)``.
        width: Common width w, in units of the scores.
    """

    centres: Float[Tensor, "k d"]
    width: float

    @property
    def count(self) -> int:
        """Number M of functions."""
        return len(self.centres) + 1

    @property
    def products(self) -> int:
        """Nonlinear operations per input: one exponential per centre."""
        return len(self.centres)

    def lift(self, scores: Float[Tensor, "n d"]) -> Float[Tensor, "m n"]:
        """Compute the functions' values at some inputs."""
        centres = self.centres.to(scores.dtype)
        squares = centres.square().sum(1)[:, None] + scores.square().sum(1) - 2 * centres @ scores.T
        bumps = torch.exp(squares.clamp(min=0) / (-2 * self.width**2))
        return torch.cat([torch.ones_like(bumps[:1]), bumps])


def radial_functions(
    scores: Float[Tensor, "n d"], count: int, scale: float, generator: torch.Generator
) -> RadialFunctions:
    """Place a number of functions on randomly drawn inputs, the constant included.

    Args:
        scale: Width in units of the median distance between centres that differ, or of 1 if none do.
    """
    centres = scores[torch.randperm(len(scores), generator=generator)[: count - 1]]
    distances = torch.pdist(centres[:1000])
    apart = distances[distances > 0]
    return RadialFunctions(centres, scale * (apart.median().item() if len(apart) else 1.0))


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
