"""Bounds on the difference of teacher and student with their assumptions, and a rule for low ranks."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import beta


def parseval_tail(
    coefficients: Float[np.ndarray, "k ..."],
    shares: Float[np.ndarray, " k"],
    rest: Float[np.ndarray, "..."] | float = 0.0,
    samples: int | None = None,
) -> np.ndarray:
    """Compute the exact root-mean-square difference of teacher and student on the training inputs.

    ``sqrt(sum_k ((1 - h_k) a_k)^2 / n)``. Says nothing of any other input.

    Args:
        shares: Shrinkage of each mode; 0 for a mode that is cut.
        rest: Squared length of the teacher's centred outputs outside the modes; 0 for all ``n - 1``.
        samples: ``n``; None for one more than there are modes.
    """
    lost = (1 - shares) ** 2 @ coefficients**2 + rest
    return np.asarray(np.sqrt(lost / (samples or len(shares) + 1)))


def hoeffding(values: Float[np.ndarray, " m"], span: float, confidence: float = 0.95) -> float:
    """Bound the mean of bounded values from a sample: ``mean + span sqrt(log(1/delta) / (2 m))``.

    Source: Hoeffding (1963), Theorem 2.

    Args:
        values: Independent draws from 0 to ``span``.
        confidence: ``1 - delta``, with which the upper bound holds at least.
    """
    _check(values, span, confidence, fewest=1)
    return float(values.mean() + span * np.sqrt(-np.log1p(-confidence) / (2 * len(values))))


def empirical_bernstein(values: Float[np.ndarray, " m"], span: float, confidence: float = 0.95) -> float:
    """Bound the mean of bounded values; tighter than Hoeffding's bound if they vary little.

    ``mean + sqrt(2 V log(2/delta) / m) + 7 span log(2/delta) / (3 (m - 1))``, ``V`` the sample variance.

    Source: Maurer, Pontil (2009), Theorem 4.

    Args:
        values: Independent draws from 0 to ``span``, at least two.
        confidence: ``1 - delta``, with which the upper bound holds at least.
    """
    _check(values, span, confidence, fewest=2)
    m, log = len(values), np.log(2 / (1 - confidence))
    spread = np.sqrt(2 * values.var(ddof=1) * log / m)
    return float(values.mean() + spread + 7 * span * log / (3 * (m - 1)))


def clopper_pearson(differs: Bool[np.ndarray, " m"], confidence: float = 0.95) -> float:
    """Bound the probability that teacher and student predict different classes, with some confidence.

    Source: Clopper, Pearson (1934): the upper end of the one-sided exact binomial interval.

    Args:
        differs: For each fresh input, whether they differ.
    """
    _check(differs.astype(float), 1.0, confidence, fewest=1)
    count, m = int(differs.sum()), len(differs)
    return 1.0 if count == m else float(beta.ppf(confidence, count + 1, m - count))


def clipped_squares(
    teacher: Float[np.ndarray, " m"], student: Float[np.ndarray, " m"], low: float, high: float
) -> Float[np.ndarray, " m"]:
    """Square the differences of outputs that are clipped to a range stated beforehand.

    They lie from 0 to ``(high - low)^2``: what the bounds above can take.

    Raises:
        ValueError: A range that is empty.
    """
    if not low < high:
        raise ValueError(f"range: got {low} to {high}, needs the lower end first")
    return (np.clip(teacher, low, high) - np.clip(student, low, high)) ** 2


@dataclass(frozen=True)
class NoiseFloor:
    """The decision of the noise-floor rule on a low-rank kernel."""

    accepted: bool  # whether the kernel may replace the exact one
    bound: float  # of the relative error of coefficients
    tolerance: float  # largest bound that is accepted


def noise_floor(kernel_error: float, noise_variance: float, tolerance: float = 0.05) -> NoiseFloor:
    """Accept a low-rank kernel if its error stays below the noise floor.

    With ``c = (K + s I)^-1 y`` and ``c_r`` from ``K_r`` in place of ``K``, ``c_r - c = (K_r + s I)^-1
    (K - K_r) c``, so ``|c_r - c| / |c| <= |K - K_r| / s`` for every ``K_r`` without negative eigenvalues.

    Source: thalens-open, ``papers/ml_certified_lowrank_gp``; the inequality is the resolvent identity.

    Args:
        kernel_error: Norm of ``K - K_r``, spectral or anything above it: Frobenius, or the trace of a
            difference without negative eigenvalues.
        noise_variance: ``s``, the ridge, above 0.
        tolerance: Largest relative error that is allowed.

    Raises:
        ValueError: An error below 0, or a variance or a tolerance that is not above 0.
    """
    if not (kernel_error >= 0 and noise_variance > 0 and tolerance > 0):
        raise ValueError(
            f"noise_floor: got error {kernel_error}, variance {noise_variance}, tolerance {tolerance}; "
            "needs an error of at least 0 and the others above 0"
        )
    bound = kernel_error / noise_variance
    return NoiseFloor(bool(bound <= tolerance), float(bound), tolerance)


def _check(values: np.ndarray, span: float, confidence: float, *, fewest: int) -> None:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence: got {confidence}, needs a number between 0 and 1")
    if len(values) < fewest:
        raise ValueError(f"values: got {len(values)}, needs at least {fewest}")
    if not (values.min() >= 0 and values.max() <= span):
        raise ValueError(f"values: got {values.min():g} to {values.max():g}, needs 0 to {span:g}")
