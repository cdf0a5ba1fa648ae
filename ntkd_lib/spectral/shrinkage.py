"""Shrinkage of modes by a ridge, and the ridge by generalised cross-validation."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

RIDGES = 200
_SPAN = (1e-10, 1e1)  # ridges that are tried, as shares of the largest eigenvalue


class GcvChoice(NamedTuple):
    """The ridge with the lowest GCV score, in squared units of the targets; scores of all ridges, rising."""

    ridge: float
    score: float
    ridges: Float[np.ndarray, " l"]
    scores: Float[np.ndarray, " l"]


def shrinkage(values: Float[np.ndarray, " k"], ridge: float) -> Float[np.ndarray, " k"]:
    """Compute the share of each mode that ridge regression keeps: ``h_k = lambda_k / (lambda_k + alpha)``.

    >>> shrinkage(np.array([3.0, 1.0, 0.0]), 1.0)
    array([0.75, 0.5 , 0.  ])
    """
    return values / (values + ridge)


def ridge_grid(
    values: Float[np.ndarray, " k"], count: int = RIDGES, least: float = 0.0
) -> Float[np.ndarray, " l"]:
    """List rising ridges to try, evenly spaced on a logarithmic scale.

    They go from 1e-10 times the largest eigenvalue, or ``least``, what the precision of the kernel allows, if
    that is more, to 10 times the largest eigenvalue.
    """
    top = max(values, default=0.0) or 1.0
    high = _SPAN[1] * top
    return np.geomspace(min(max(_SPAN[0] * top, least), high), high, count)


class ResidualModes(NamedTuple):
    """The part outside the modes of a low-rank kernel, which shrinks to zero."""

    modes: int = 0  # missing from ``n - 1``
    energy: float = 0.0  # squared length of the targets there, added over outputs


def gcv_scores(
    values: Float[np.ndarray, " k"],
    coefficients: Float[np.ndarray, "k c"],
    ridges: Float[np.ndarray, " l"],
    rest: ResidualModes = ResidualModes(),  # noqa: B008 - a tuple cannot change
) -> Float[np.ndarray, " l"]:
    """Score ridges by generalised cross-validation with the degrees of freedom of a centred Gram matrix.

    ``GCV = (|(I - H) t|^2 / n) / (1 - tr(H) / (n - 1))^2``, added over outputs. With ``n`` in place of
    ``n - 1`` the denominator stays above 0 when every mode is kept, and the score runs to interpolation.

    Source: Golub, Heath, Wahba (1979), Eq. 1.4, for the ``n - 1`` modes of a centred Gram matrix.

    Args:
        rest: Modes of a low-rank kernel that are not among them.
    """
    left = ridges[:, None] / (values + ridges[:, None])
    energy = (coefficients**2).sum(axis=1)
    freedom = len(values) + rest.modes
    residual = (left**2 @ energy + rest.energy) / (freedom + 1)
    return residual / ((left.sum(axis=1) + rest.modes) / freedom) ** 2


def choose_ridge(
    values: Float[np.ndarray, " k"],
    coefficients: Float[np.ndarray, "k c"],
    ridges: Sequence[float] | None = None,
    rest: ResidualModes = ResidualModes(),  # noqa: B008 - a tuple cannot change
    least: float = 0.0,
) -> GcvChoice:
    """Choose the ridge of the lowest GCV score, of equal scores the last: constant outputs need no mode.

    Args:
        values: Eigenvalues, falling.
        ridges: Ridges to choose from; None for 200 of `ridge_grid`.
        rest: Modes of a low-rank kernel that are not among them.
        least: Smallest ridge that the precision of the kernel allows; without ``ridges``.
    """
    ridges = ridge_grid(values, least=least) if ridges is None else np.asarray(ridges, dtype=float)
    scores = gcv_scores(values, coefficients, ridges, rest)
    best = len(scores) - 1 - int(scores[::-1].argmin())
    return GcvChoice(float(ridges[best]), float(scores[best]), ridges, scores)
