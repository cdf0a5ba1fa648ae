"""Kernel ridge regression with one kernel per class, on real points or on synthetic gradients."""

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from ntkd_lib.ntk.regression import fit_ridge
from ntkd_lib.ranges import check_number

JITTER = 1e-9  # share of the mean diagonal that makes a Gram matrix of near duplicates invertible


def fit_per_class(
    theta: Float[Tensor, "c m m"], targets: Shaped[Tensor, "..."], ridge: float
) -> Float[Tensor, "c m"]:
    """Fit one kernel ridge regression per class, in float64.

    ``(theta_c + ridge t_c I) alpha_c = y_c`` with the mean diagonal ``t_c`` of the class's kernel.

    Source: DNTK paper, prediction on synthetic gradients; ridge and scale as an independent reproduction has
    them.

    Args:
        targets: Targets ``(m, c)``, one column per class.
        ridge: Ridge as a share of the mean diagonal.

    Raises:
        ValueError: Lengths that do not fit, or a ridge that leaves a kernel singular.

    >>> theta = torch.eye(3).expand(2, 3, 3)
    >>> fit_per_class(theta, torch.ones(3, 2), ridge=1.0)  # (1 + 1) alpha = 1
    tensor([[0.5000, 0.5000, 0.5000],
            [0.5000, 0.5000, 0.5000]], dtype=torch.float64)
    """
    _check_targets(targets, theta)
    ridges = [ridge * kernel.diagonal().double().mean().item() for kernel in theta]
    systems = zip(theta, targets.T[:, :, None], ridges, strict=True)
    return torch.stack([fit_ridge(*system)[:, 0] for system in systems])


def predict_per_class(
    cross: Float[Tensor, "c t m"], coefficients: Float[Tensor, "c m"]
) -> Float[Tensor, "t c"]:
    """Predict: ``f_c(x) = theta_c(x, X) alpha_c``."""
    return torch.bmm(cross.to(coefficients.dtype), coefficients[:, :, None])[:, :, 0].T  # einsum broadcasts


def fit_nystrom(
    cross: Float[Tensor, "c n m"], gram: Float[Tensor, "c m m"], targets: Shaped[Tensor, "..."], ridge: float
) -> Float[Tensor, "c m"]:
    """Fit all points with functions of some landmarks, one kernel per class.

    Minimises ``|B alpha - y|^2 + ridge t alpha' G alpha`` with the kernel ``B`` between points and landmarks
    and the landmarks' own ``G``: ridge regression on the features ``F = B L^-T``, where ``G = L L'``.

    Source: Williams and Seeger (2001); Rudi, Camoriano, Rosasco (2015), Eq. 5.

    Args:
        cross: Kernels ``B``.
        gram: Kernels ``G``, of mean diagonal ``t``.
        targets: Targets ``(n, c)``, one column per class.
        ridge: Ridge as a share of the mean diagonal.

    Raises:
        ValueError: Targets of another shape, or landmarks' kernels that are not positive semi-definite.
    """
    _check_targets(targets, cross)
    check_number("ridge", ridge, 0)
    scale = gram.diagonal(dim1=1, dim2=2).double().mean(1)
    eye = torch.eye(gram.shape[1]).to(scale)
    rounding = len(eye) * torch.finfo(gram.dtype).eps  # share of the mean diagonal that eigenvalues are off
    for jitter in (JITTER, max(JITTER, rounding)):
        lower, failed = torch.linalg.cholesky_ex(gram.double() + (jitter * scale)[:, None, None] * eye)
        if not failed.any():
            break
    else:
        raise ValueError("gram: got negative eigenvalues or NaN, allowed: 0 or more, up to rounding")
    features = torch.linalg.solve_triangular(lower, cross.double().mT, upper=False)
    normal = features @ features.mT + (ridge * scale)[:, None, None] * eye
    weights = torch.linalg.solve(normal, features @ targets.double().T[:, :, None])
    return torch.linalg.solve_triangular(lower.mT, weights, upper=True)[:, :, 0]


def _check_targets(targets: Tensor, theta: Tensor) -> None:
    if targets.shape != (shape := theta.shape[1::-1]):
        allowed = f"{(*shape,)}: one row a point, one column a kernel"
        raise ValueError(f"targets: got shape {(*targets.shape,)}, needs {allowed}")


def reduce_kernel(theta: Float[Tensor, "c m m"], weights: Float[Tensor, "m s"]) -> Float[Tensor, "c s s"]:
    """Compute the kernels of synthetic gradients ``Phi_c' u``: ``U' theta_c U``.

    >>> reduce_kernel(torch.eye(3)[None], torch.ones(3, 1))
    tensor([[[3.]]])
    """
    weights = weights.to(torch.promote_types(theta.dtype, weights.dtype))
    reduced = weights.T @ theta.to(weights.dtype) @ weights
    return (reduced + reduced.mT) / 2
