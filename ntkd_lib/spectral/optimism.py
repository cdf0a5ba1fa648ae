"""Fitted noise of a fit: the tail statistic, the optimism estimate, and degrees of freedom."""

import numpy as np
from jaxtyping import Float

LIMIT = 1.959964  # two-sided 5 % of the standard normal distribution
_ROUNDING = 1e-12


def tail_statistic(
    fitted: Float[np.ndarray, "k ..."], labels: Float[np.ndarray, " k"], kstar: int, noise: float
) -> np.ndarray:
    """Test, for each fit, whether fitted values follow the labels' noise beyond the cut.

    ``z = sum_{k > K*} a_k b_k / (sigma sqrt(sum_{k > K*} a_k^2))``: standard normal if the labels hold
    nothing but noise of level ``sigma`` beyond ``K*`` and the fit is independent of it; 0 if nothing but
    rounding is fitted there.

    Args:
        fitted: Coefficients ``a`` of fitted values, one column per fit.
        labels: Coefficients ``b`` of the labels.
        kstar: Cut ``K*``.
        noise: Noise level ``sigma``, above 0.
    """
    tail, rest = fitted[kstar:], labels[kstar:]
    size, whole = (np.sqrt((part**2).sum(axis=0)) for part in (tail, fitted))
    real = size > _ROUNDING * whole
    product = np.tensordot(rest, tail, axes=1)
    return np.where(real, product / (noise * np.where(real, size, 1)), 0.0)


def estimated_optimism(
    fitted: Float[np.ndarray, "k ..."], labels: Float[np.ndarray, " k"], kstar: int, noise: float
) -> np.ndarray:
    """Estimate the optimism of each fit: test minus training mean-square error, in squared units of labels.

    ``(2/n) sum_{k > K*} a_k b_k + 2 sigma^2 K* / n``: the covariance of fit and noise in the tail, where
    labels are taken to be noise, and one degree of freedom for each mode before it.

    Source: Efron (2004), Sec. 2 (covariance penalty), restricted to the tail.

    Args:
        fitted: Coefficients ``a`` of fitted values, one column per fit, ``n - 1`` modes.
        labels: Coefficients ``b`` of the labels.
        kstar: Cut ``K*``.
    """
    n = len(labels) + 1
    covariance = np.tensordot(labels[kstar:], fitted[kstar:], axes=1)
    return np.asarray(2 * (covariance + noise**2 * kstar) / n)


def generalised_degrees(
    fitted: Float[np.ndarray, "... n"],
    refitted: Float[np.ndarray, "... n"],
    change: Float[np.ndarray, "... n"],
) -> np.ndarray:
    """Estimate degrees of freedom from one refit to changed labels: ``sum_i d fitted_i / d y_i``.

    ``change . (refitted - fitted) n / |change|^2``, the fitted constant included; unbiased for a linear fit
    and changes with independent entries of mean 0 and equal size.

    Source: Ye (1998), Sec. 2.

    Args:
        refitted: Fitted values after the labels changed.
        change: What was added to the labels.
    """
    moved = (change * (refitted - fitted)).sum(axis=-1)
    return np.asarray(moved / (change**2).mean(axis=-1))
