"""Kernel ridge regression on one-hot labels, its ridge chosen on validation images."""

from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import one_hot

from ntkd_lib.ntk.regression import fit_ridge, predict

RIDGES = (1e-3, 1e-2, 1e-1)  # shares of the kernel's mean diagonal


def choose_ridge(
    theta: Float[Tensor, "n n"],
    labels: Int[Tensor, " n"],
    cross: Float[Tensor, "v n"],
    validation: Int[Tensor, " v"],
) -> tuple[float, float]:
    """Choose the ridge with the highest validation accuracy (%), the largest of equals; return both."""
    accuracy, ridge = max((accuracy_of_fit(theta, labels, cross, validation, r), r) for r in RIDGES)
    return ridge, accuracy


def accuracy_of_fit(
    theta: Float[Tensor, "n n"],
    labels: Int[Tensor, " n"],
    cross: Float[Tensor, "v n"],
    truth: Int[Tensor, " v"],
    ridge: float,
) -> float:
    """Fit on training images and compute the share of right predictions, percent."""
    targets = one_hot(labels, 10).double() - 0.1
    coefficients = fit_ridge(theta, targets, ridge * theta.diagonal().mean().item())
    return 100 * (predict(cross, coefficients).argmax(1) == truth).double().mean().item()
