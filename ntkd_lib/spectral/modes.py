"""Modes that hold signal: relevant dimension, noise level, counts, and the table of modes."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from ntkd_lib.imports import extra

with extra("spectral"):
    import pandas as pd

LIMIT = 2.0  # a coefficient above so many noise levels counts


class RelevantDimension(NamedTuple):
    """The mode at which signal ends, and the noise level."""

    kstar: int  # number of leading modes that hold signal, ``K*``
    noise: float  # root mean square of the coefficients after it, in units of the targets


def relevant_dimension(labels: Float[np.ndarray, " k"]) -> RelevantDimension:
    """Split the labels' coefficients at the cut where two Gaussians of different variance fit best.

    ``K* = argmin_d (d/k) log s1^2 + ((k - d)/k) log s2^2``, with ``s1^2`` and ``s2^2`` the mean squares of
    the coefficients before and after ``d``. ``d`` goes up to half of the modes, so that at least half are
    left to measure the noise.

    Source: Braun, Buhmann, Mueller (2008), Sec. 4.

    Args:
        labels: Coefficients of the centred labels, in the order of falling eigenvalues, at least 4.

    Raises:
        ValueError: Fewer than 4 coefficients.
    """
    k = len(labels)
    if k < 4:
        raise ValueError(f"labels: got {k} coefficients, needs at least 4")
    sums = np.cumsum(labels**2)
    d = np.arange(1, k // 2 + 1)
    floor = max(sums[-1] * np.finfo(float).eps, np.finfo(float).tiny)
    before, after = sums[d - 1], np.maximum(sums[-1] - sums[d - 1], floor)
    score = d * np.log(np.maximum(before, floor) / d) + (k - d) * np.log(after / (k - d))
    best = int(score.argmin())
    return RelevantDimension(int(d[best]), float(np.sqrt(after[best] / (k - d[best]))))


def count_above(coefficients: Float[np.ndarray, "k ..."], noise: float) -> np.ndarray:
    """Count coefficients beyond twice the noise level, ``#{k: |a_k| > 2 sigma-hat}``."""
    return np.asarray((np.abs(coefficients) > LIMIT * noise).sum(axis=0))


def kept_share(coefficients: Float[np.ndarray, " k"], mask: Bool[np.ndarray, " k"]) -> float:
    """Compute the in-sample R^2, from 0 to 1, of the best fit to a function by some of its modes."""
    return float((coefficients[mask] ** 2).sum() / (coefficients**2).sum())


def largest(coefficients: Float[np.ndarray, " k"], count: int) -> Bool[np.ndarray, " k"]:
    """Mark the modes with the largest absolute coefficients.

    >>> largest(np.array([1.0, -3.0, 2.0]), 2)
    array([False,  True,  True])
    """
    mask = np.zeros(len(coefficients), dtype=bool)
    mask[np.argsort(-np.abs(coefficients), kind="stable")[:count]] = True
    return mask


def mode_table(
    values: Float[np.ndarray, " k"],
    fitted: Float[np.ndarray, " k"],
    labels: Float[np.ndarray, " m"],
    shares: Float[np.ndarray, " k"],
) -> pd.DataFrame:
    """Tabulate every mode: number from 1, eigenvalue, fitted, labels, t, shrinkage and kind.

    A mode is *signal* where it lies before the cut, its t-statistic is beyond 2 and at least half of it was
    fitted; *under-learned* where less was; else *noise*.

    Args:
        fitted: Coefficients of the fitted values, on the training inputs.
        labels: Coefficients of the labels; those beyond the modes count for the cut and the noise alone.
    """
    (kstar, noise), labels = relevant_dimension(labels), labels[: len(values)]
    t = labels / noise if noise > 0 else np.full(len(labels), np.inf)
    mode = np.arange(1, len(values) + 1)
    holds = (mode <= kstar) & (np.abs(t) > LIMIT)
    learned = fitted * np.sign(labels) >= np.abs(labels) / 2
    kind = np.where(holds, np.where(learned, "signal", "under-learned"), "noise")
    columns = {"mode": mode, "eigenvalue": values, "fitted": fitted, "labels": labels, "t": t}
    return pd.DataFrame({**columns, "shrinkage": shares, "kind": kind})
