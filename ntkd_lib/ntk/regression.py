"""Ridge regression with a precomputed kernel, and the choice of its ridge, in float64.

Every function takes the kernel ``theta`` of the training samples and their targets, one-hot classes or
values. Lengths are checked inside, so that an error can name the shapes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor

ASYMMETRY = 1e-5  # of a kernel, as a share of its largest entry: float32 rounding
EPS = torch.finfo(torch.float64).eps
Values = Tensor | np.ndarray
CRITERIA = ("gcv", "loo", "validation")


class RidgeChoice(NamedTuple):
    """The ridge of the lowest score."""

    ridge: float
    scores: Float[Tensor, " l"]  # mean squared errors, in the order of the ridges that were tried


def fit_ridge(
    theta: Shaped[Values, "..."], targets: Shaped[Values, "..."], ridge: float
) -> Float[Tensor, "n c"]:
    """Fit kernel ridge regression by one Cholesky factorisation.

    ``(theta + ridge I) alpha = y``; minimises ``|theta alpha - y|^2 + ridge alpha' theta alpha``.

    Args:
        ridge: Ridge in units of the kernel; 0 interpolates and needs a kernel of full rank.

    Raises:
        ValueError: No symmetric kernel, lengths that do not fit, a ridge that leaves the kernel singular.

    >>> fit_ridge(torch.eye(2), torch.tensor([[1.0], [3.0]]), ridge=1.0).flatten()
    tensor([0.5000, 1.5000], dtype=torch.float64)
    """
    theta, targets = _checked(theta, targets)
    return torch.cholesky_solve(targets, _cholesky(theta, ridge))


def predict(
    theta_cross: Float[Values, "m n"], coefficients: Float[Tensor, "*l k c"]
) -> Float[Tensor, "*l m c"]:
    """Predict the targets of new samples: ``theta(x, X) alpha``.

    Raises:
        ValueError: Another number of columns than of coefficients.
    """
    columns, count = theta_cross.shape[1], coefficients.shape[-2]
    if columns != count:
        raise ValueError(f"theta_cross: got {columns} columns, needs one for each of {count} coefficients")
    return torch.as_tensor(theta_cross).double() @ coefficients


def loo_residuals(
    theta: Shaped[Values, "..."], targets: Shaped[Values, "..."], ridge: float
) -> Float[Tensor, "n c"]:
    """Compute the leave-one-out residual of each sample without refitting.

    ``y_i - f_(-i)(x_i) = alpha_i / [(theta + ridge I)^-1]_ii``. Targets that were centred on their own mean
    have already seen the sample that is left out; subtract a fixed number instead.

    Source: Wahba (1990), Sec. 4.2.

    Raises:
        ValueError: As `fit_ridge`.
    """
    theta, targets = _checked(theta, targets)
    inverse = torch.cholesky_inverse(_cholesky(theta, ridge))
    return inverse @ targets / inverse.diagonal()[:, None]


def ridge_path(
    theta: Shaped[Values, "..."], targets: Shaped[Values, "..."], lambdas: Sequence[float]
) -> Float[Tensor, "l n c"]:
    """Fit many ridges by one eigendecomposition.

    ``alpha = V (s + lambda)^-1 V' y`` with ``theta = V s V'``.

    Raises:
        ValueError: As `fit_ridge`, or no ridge at all.
    """
    return _spectrum(*_checked(theta, targets), lambdas).coefficients()


def degrees_of_freedom(theta: Shaped[Values, "..."], lambdas: Sequence[float]) -> Float[Tensor, " l"]:
    """Count the effective parameters of a fit: ``tr H = sum_i s_i / (s_i + lambda)``, at most ``n``.

    ``H = theta (theta + lambda I)^-1`` is the hat matrix, which makes fitted values of targets.

    Source: Hastie, Tibshirani, Friedman (2009), Eq. 5.16 and 7.32.

    Raises:
        ValueError: As `ridge_path`.
    """
    theta = _kernel(theta)
    spectrum = _spectrum(theta, torch.zeros_like(theta[:, :1]), lambdas)
    return (spectrum.values * spectrum.shrinkage).sum(1)


def gcv_score(
    theta: Shaped[Values, "..."], targets: Shaped[Values, "..."], lambdas: Sequence[float]
) -> Float[Tensor, " l"]:
    """Estimate the squared error on new samples by generalised cross-validation.

    ``GCV = mean((y - H y)^2) / (1 - tr(H) / n)^2``: leaving one out with every leverage set to their mean,
    ``tr(H)`` being the `degrees_of_freedom`. The ridge cancels, so 0 is allowed for kernels of full rank:
    with ``w = (s + lambda)^-1`` it is ``mean((V w V' y)^2) / mean(w)^2``.

    Source: Golub, Heath, Wahba (1979), Eq. 1.4.

    Raises:
        ValueError: As `ridge_path`.
    """
    return _spectrum(*_checked(theta, targets), lambdas).gcv()


def choose_ridge(
    theta: Shaped[Values, "..."],
    targets: Shaped[Values, "..."],
    lambdas: Sequence[float],
    *,
    by: str = "gcv",
    validation: tuple[Values, Values] | None = None,
) -> RidgeChoice:
    """Choose the ridge with the lowest squared error, by one eigendecomposition.

    Args:
        lambdas: Ridges to try; of equal scores the first is taken.
        by: ``"gcv"``; ``"loo"``, exact leaving-one-out; or ``"validation"``.
        validation: Kernel between validation and training samples ``(m, n)``, and the validation targets
            ``(m, c)``; for ``by="validation"`` alone.

    Raises:
        ValueError: As `ridge_path`, an unknown criterion, or a validation that is missing or not wanted.
    """
    if by not in CRITERIA:
        raise ValueError(f"by: got {by!r}, allowed are {', '.join(CRITERIA)}")
    if (by == "validation") != (validation is not None):
        came = f"{'nothing' if validation is None else 'a kernel'} with by={by!r}"
        needs = "a kernel and targets with by='validation' and nothing else"
        raise ValueError(f"validation: got {came}, needs {needs}")
    spectrum = _spectrum(*_checked(theta, targets), lambdas)
    own = spectrum.gcv if by == "gcv" else spectrum.loo
    scores = own() if validation is None else _validation_scores(spectrum, *validation)
    return RidgeChoice(float(lambdas[int(scores.argmin())]), scores)


@dataclass(frozen=True)
class _Spectrum:
    values: Float[Tensor, " n"]
    vectors: Float[Tensor, "n n"]
    rotated: Float[Tensor, "n c"]
    shrinkage: Float[Tensor, "l n"]

    def coefficients(self) -> Float[Tensor, "l n c"]:
        return self.vectors @ (self.shrinkage[:, :, None] * self.rotated)

    def gcv(self) -> Float[Tensor, " l"]:
        squares = (self.shrinkage**2 @ self.rotated**2).mean(1) / len(self.values)
        return squares / self.shrinkage.mean(1) ** 2

    def loo(self) -> Float[Tensor, " l"]:
        inverse = self.shrinkage @ (self.vectors**2).T
        return (self.coefficients() / inverse[:, :, None]).square().mean((1, 2))


def _spectrum(theta: Tensor, targets: Tensor, lambdas: Sequence[float] | float) -> _Spectrum:
    if isinstance(lambdas, Real):
        raise ValueError(f"lambdas: got {lambdas:g}, needs a sequence of ridges")
    if not len(lambdas):
        raise ValueError("lambdas: got none, needs at least one ridge")
    for ridge in lambdas:
        _check_ridge(ridge)
    values, vectors = torch.linalg.eigh(theta)
    least = values[0].item() + min(lambdas)
    if least <= len(theta) * EPS * (values[-1].item() + min(lambdas)):
        raise _singular(min(lambdas))
    ridges = torch.tensor(lambdas, dtype=torch.float64, device=theta.device)
    return _Spectrum(values, vectors, vectors.T @ targets, 1 / (values + ridges[:, None]))


def _validation_scores(spectrum: _Spectrum, theta_cross: Values, targets: Values) -> Tensor:
    shape = len(theta_cross), spectrum.rotated.shape[1]
    if targets.shape != shape:
        raise ValueError(f"validation: got targets of shape {tuple(targets.shape)}, needs {shape}")
    missed = predict(theta_cross, spectrum.coefficients()) - torch.as_tensor(targets).double()
    if not missed.isfinite().all():
        raise ValueError("validation: got a kernel or targets with values that are not finite")
    return missed.square().mean((1, 2))


def _cholesky(theta: Tensor, ridge: float) -> Tensor:
    _check_ridge(ridge)
    lower, failed = torch.linalg.cholesky_ex(theta + ridge * torch.eye(len(theta)).to(theta))
    pivots = lower.diagonal() ** 2
    if failed or pivots.min() <= len(theta) * EPS * pivots.max().item():
        raise _singular(ridge)
    return lower


def _singular(ridge: float) -> ValueError:
    return ValueError(f"ridge: got {ridge:g}, which leaves the kernel singular; needs a larger one")


def _check_ridge(ridge: float) -> None:
    if not 0 <= ridge < float("inf"):
        raise ValueError(f"ridge: got {ridge}, needs a finite number of at least 0")


def _checked(theta: Values, targets: Values) -> tuple[Tensor, Tensor]:
    theta, targets = _kernel(theta), torch.as_tensor(targets)
    if targets.ndim != 2 or len(targets) != len(theta) or not targets.numel():
        raise ValueError(f"targets: got shape {tuple(targets.shape)}, needs ({len(theta)}, c)")
    if not targets.isfinite().all():
        raise ValueError("targets: got values that are not finite")
    return theta, targets.double()


def _kernel(theta: Values) -> Tensor:
    theta = torch.as_tensor(theta)
    if theta.ndim != 2 or theta.shape[0] != theta.shape[1] or not len(theta):
        raise ValueError(f"theta: got shape {tuple(theta.shape)}, needs a square kernel (n, n)")
    if not theta.isfinite().all():
        raise ValueError("theta: got values that are not finite")
    theta = theta.double()
    difference = (theta - theta.T).abs().max().item()
    if difference > ASYMMETRY * theta.abs().max().item():
        raise ValueError(f"theta: differs from its transpose by up to {difference:g}, needs to be symmetric")
    return theta
