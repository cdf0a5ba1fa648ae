"""Intervals, tests and simulations over seeds: Student's t for pages, the percentile bootstrap for rules."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Literal

import numpy as np
from jaxtyping import Float

Interval = tuple[float, float]
DRAWS = 10_000
LEVEL = 95.0
_SAMPLES = {"student": 20_000, "bootstrap": 2_000}  # of a simulation of coverage


def student_interval(values: Sequence[float]) -> Interval | None:
    """Bound the mean over seeds, or over paired differences, by the 95 % interval of Student's t.

    Formula: m +- t(97.5 %, n - 1) s / sqrt(n). None for a single value.
    """
    if len(values) < 2:
        return None
    reach = _quantile(len(values)) * _standard_error(values)
    return float(np.mean(values) - reach), float(np.mean(values) + reach)


def interval_ends(values: Sequence[float]) -> Interval:
    """Bound the mean over seeds as `student_interval` does; NaN at both ends for fewer than two values."""
    return student_interval(values) or (float("nan"), float("nan"))


def simultaneous_intervals(differences: Float[np.ndarray, "arms seeds"]) -> list[Interval]:
    """Bound the mean differences of several arms so that all intervals hold at once in 95 % of cases.

    Formula: m_j +- q s_j / sqrt(n), with q the 95 % quantile of max_j |t_j| over 20,000 samples of normal
    seeds (generator seed 0) correlated as the differences are (max-t). Needs spread in every arm.

    Source: Hothorn, Bretz and Westfall (2008).
    """
    (_, seeds), errors = differences.shape, _standard_error(differences)
    residuals = differences - differences.mean(axis=1, keepdims=True)
    axes = residuals / np.linalg.norm(residuals, axis=1, keepdims=True)
    normal = np.random.default_rng(0).normal(size=(_SAMPLES["student"], seeds, seeds))
    samples = normal @ axes.T  # rows of a sample are seeds, columns arms
    largest = np.abs(samples.mean(axis=1) / _standard_error(samples, axis=1)).max(axis=1)
    reach = np.quantile(largest, LEVEL / 100) * errors
    return [(float(m - r), float(m + r)) for m, r in zip(differences.mean(axis=1), reach, strict=True)]


def fieller_interval(numerators: Sequence[float], denominators: Sequence[float]) -> Interval | None:
    """Bound the ratio of two means over the same seeds by Fieller's 95 % interval.

    The ratios r with |mean(y - r x)| <= t(97.5 %, n - 1) s(y - r x) / sqrt(n). None for a single seed, and
    when the mean denominator may be 0, for then the set of ratios has no ends.
    """
    if (n := len(numerators)) < 2:
        return None
    (y, x), covariance = np.mean([numerators, denominators], axis=1), np.cov(numerators, denominators)
    (yy, xy), (_, xx) = np.outer([y, x], [y, x]) - _quantile(n) ** 2 * covariance / n
    if xx <= 0:
        return None
    reach = np.sqrt(max(xy**2 - xx * yy, 0.0))
    return float((xy - reach) / xx), float((xy + reach) / xx)


def _quantile(seeds: int) -> float:
    from scipy.special import stdtrit  # here: half of the time in which the command line starts

    return float(stdtrit(seeds - 1, 0.5 + LEVEL / 200))


def _standard_error(values: Sequence[float] | np.ndarray, axis: int = -1) -> np.floating | np.ndarray:
    return np.std(values, axis=axis, ddof=1) / np.sqrt(np.shape(values)[axis])


def ordering_p(differences: Sequence[float], margin: float = 0.0) -> float | None:
    """Test by a one-sided paired t-test that the mean difference is above the margin; None for one seed."""
    if len(differences) < 2:
        return None
    from scipy.special import stdtr

    centre, error = np.mean(differences) - margin, _standard_error(differences)
    if error == 0:
        return 0.0 if centre > 0 else 1.0
    return float(stdtr(len(differences) - 1, -centre / error))


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Adjust p values for the number of tests by Holm's step-down method, by name.

    The i-th smallest of k becomes the largest of (k - j + 1) p_j over j <= i, at most 1.
    """
    names = sorted(p_values, key=p_values.__getitem__)
    enlarged = [min(1.0, (len(names) - place) * p_values[name]) for place, name in enumerate(names)]
    return dict(zip(names, accumulate(enlarged, max), strict=True))


def bootstrap_interval(values: Sequence[float]) -> Interval:
    """Bound the mean over seeds by the contract's 95 % percentile bootstrap.

    10,000 draws of seeds, generator seed 0; a single value is its own interval.
    """
    low, high = _percentiles(_counts(len(values)) @ np.asarray(values) / len(values))
    return max(float(low), min(values)), min(float(high), max(values))  # rounding stays within the values


def bootstrap_ratio_interval(numerators: Sequence[float], denominators: Sequence[float]) -> Interval | None:
    """Bound the ratio of two means over the same seeds by the contract's 95 % percentile bootstrap.

    None when the mean denominator may be 0.
    """
    counts = _counts(len(numerators))
    below = counts @ np.asarray(denominators)
    if below.min() <= 0 <= below.max():
        return None
    low, high = _percentiles(counts @ np.asarray(numerators) / below)
    return float(low), float(high)


@lru_cache(maxsize=16)
def _counts(seeds: int) -> Float[np.ndarray, "draws seeds"]:
    """Count how often each draw takes each seed."""
    chosen = np.random.default_rng(0).integers(0, seeds, size=(DRAWS, seeds))
    return np.stack([(chosen == seed).sum(axis=1) for seed in range(seeds)], axis=1).astype(float)


def _percentiles(draws: Float[np.ndarray, "draws ..."]) -> Float[np.ndarray, "2 ..."]:
    return np.percentile(draws, [(100 - LEVEL) / 2, (100 + LEVEL) / 2], axis=0)


@lru_cache(maxsize=32)
def coverage(seeds: int, kind: Literal["student", "bootstrap"]) -> float:
    """Simulate how often, in percent, a 95 % interval of the mean of normal data holds the true mean.

    20,000 samples for Student's t (standard error 0.15), 2,000 for the bootstrap (at most 1.0), generator
    seed 0.

    >>> round(coverage(5, "student")), round(coverage(5, "bootstrap"))
    (95, 84)
    """
    samples = np.random.default_rng(0).normal(size=(_SAMPLES[kind], seeds))
    if kind == "student":
        reach = _quantile(seeds) * _standard_error(samples)
        return float(100 * np.mean(np.abs(samples.mean(axis=1)) <= reach))
    low, high = _percentiles(_counts(seeds) @ samples.T / seeds)
    return float(100 * np.mean((low <= 0) & (high >= 0)))


def draw_reruns(
    samples: Float[np.ndarray, "metrics seeds"], reruns: int
) -> Float[np.ndarray, "reruns metrics seeds"]:
    """Draw what honest reruns with as many new seeds would measure.

    Model: numbers of different seeds are independent and normal, jointly so for the metrics of one seed. Mean
    and covariance are unknown, with Jeffreys' prior |C|^(-(d+1)/2) for d metrics: C is inverse Wishart
    around the scatter of the recorded seeds with n - 1 degrees of freedom, the mean normal around the
    recorded mean with covariance C / n. Each number of a rerun is then t-distributed, and the numbers of one
    rerun share mean and covariance. Needs more seeds than metrics. Tuning, data and machine stay the same.
    """
    (metrics, seeds), generator = samples.shape, np.random.default_rng(0)
    middle = samples.mean(axis=1)
    axes, lengths, _ = np.linalg.svd(samples - middle[:, None], full_matrices=False)  # root: axes * lengths
    noise = generator.normal(size=(reruns, metrics, seeds - 1))
    wishart = np.linalg.cholesky(noise @ noise.transpose(0, 2, 1))
    spread = (axes * lengths) @ np.linalg.inv(wishart).transpose(0, 2, 1)
    shift = generator.normal(size=(reruns, metrics, 1)) / np.sqrt(seeds)
    return middle[:, None] + spread @ (shift + generator.normal(size=(reruns, metrics, seeds)))
