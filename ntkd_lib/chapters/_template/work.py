"""The work of notebook 08_my_paper: ridge regression of digits in a kernel."""

from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import nn

from ntkd_lib.data.tables import load_table
from ntkd_lib.lab import CellResult, deterministic
from ntkd_lib.lab.work import work
from ntkd_lib.ntk.empirical import empirical_ntk


def load_digits(seed: int) -> tuple[Float[np.ndarray, "n 64"], Int[np.ndarray, " n"]]:
    """Load scikit-learn's digits, pixels in [0, 1], in an order that the seed draws."""
    table = load_table("digits")
    order = np.random.default_rng(seed).permutation(len(table.y))
    return table.x[order] / 16, table.y[order].astype(int)


def build_network(width: int) -> nn.Module:
    """Build the untrained network whose tangent kernel is used."""
    return nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 10))


def compute_kernel(name: str, x: Float[np.ndarray, "n 64"], width: int) -> Float[np.ndarray, "n n"]:
    """Compute one of the compared kernels."""
    if name == "linear":
        return x @ x.T
    with torch.no_grad():
        theta = empirical_ntk(build_network(width), torch.tensor(x, dtype=torch.float32), kind="trace")
    return theta.double().numpy()


@work(cost=lambda train, **_: 2 + 1e-6 * train**2)
def regression(
    seed: int, *, method: Literal["tangent", "linear"], train: int, width: int, ridge: float
) -> CellResult:
    """Fit one-hot labels by ridge regression and compute the test accuracy in percent."""
    deterministic(seed)
    x, y = load_digits(seed)
    kernel = compute_kernel(method, x, width)
    square = kernel[:train, :train]
    damped = square + ridge * square.trace() / train * np.eye(train)
    scores = kernel[train:, :train] @ np.linalg.solve(damped, np.eye(10)[y[:train]])
    accuracy = 100 * float((scores.argmax(1) == y[train:]).mean())
    return CellResult({"accuracy": accuracy, "converged": True})  # solved exactly
