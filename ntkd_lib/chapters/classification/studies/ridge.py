"""Kernel ridge regression on one-hot labels, its ridge chosen on validation images."""

from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import one_hot

from ntkd_lib.ntk.regression import fit_ridge, predict

RIDGES = (1e-3, 1e-2, 1e-1)  # shares of the kernel's mean diagonal


@dataclass(frozen=True)
class ChosenRidge:
    """The best ridge, as a share of the mean diagonal, and its validation accuracy in percent."""

    ridge: float
    validation: float


def choose_ridge(
    theta: Float[Tensor, "n n"],
    labels: Int[Tensor, " n"],
    cross: Float[Tensor, "v n"],
    validation: Int[Tensor, " v"],
) -> ChosenRidge:
    """Choose the ridge with the highest validation accuracy, the largest of equals.

    Source: NTKD paper, Eq. 3-4 (ridge by grid search on validation images).
    """
    ridges = sorted(RIDGES, reverse=True)
    tried = [ChosenRidge(r, accuracy_of_fit(theta, labels, cross, validation, r)) for r in ridges]
    return max(tried, key=lambda one: one.validation)


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
