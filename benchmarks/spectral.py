"""Small networks by the stack against one by one and torch.func.vmap; decompositions against scikit-learn."""

import numpy as np
import torch
from sklearn.kernel_ridge import KernelRidge
from sklearn.model_selection import GridSearchCV
from torch import Tensor

from benchmarks.timing import interleaved, report
from ntkd_lib.nets.back_ends import dense_back_end
from ntkd_lib.spectral.basis import eigenbasis
from ntkd_lib.spectral.fit import fit_outputs
from ntkd_lib.spectral.kernels import GaussianKernel, gaussian_kernels
from ntkd_lib.spectral.low_rank import low_rank_basis
from ntkd_lib.spectral.stacked import squared_error, stacked_nets, train_stacked

EPOCHS, SAMPLES, LR = 10, 200, 3e-3


def train_with_vmap(widths: tuple[int, ...], x: Tensor, y: Tensor) -> None:
    """Train by the tutorial's way: one module, its parameters stacked, gradients by vmap over grad.

    Args:
        x: Inputs, ``(r, n, d)``.
        y: Targets, ``(r, n)``.
    """
    nets = [dense_back_end((14, *widths, 1)) for _ in x]
    parameters, _ = torch.func.stack_module_state(nets)
    leaves = {name: value.detach().requires_grad_() for name, value in parameters.items()}
    optimiser = torch.optim.Adam(leaves.values(), lr=LR, fused=True)

    def loss(one: dict[str, Tensor], inputs: Tensor, targets: Tensor) -> Tensor:
        return (torch.func.functional_call(nets[0], one, (inputs,))[:, 0] - targets).square().mean()

    for _ in range(EPOCHS):
        gradients = torch.func.vmap(torch.func.grad(loss))(leaves, x, y)
        for name, leaf in leaves.items():
            leaf.grad = gradients[name].detach()
        optimiser.step()


def train_one_by_one(widths: tuple[int, ...], x: Tensor, y: Tensor) -> None:
    """Train ordinary modules in a loop.

    Args:
        x: Inputs, ``(r, n, d)``.
        y: Targets, ``(r, n)``.
    """
    for inputs, targets in zip(x, y, strict=True):
        net = dense_back_end((14, *widths, 1))
        optimiser = torch.optim.Adam(net.parameters(), lr=LR, fused=True)
        for _ in range(EPOCHS):
            optimiser.zero_grad()
            (net(inputs)[:, 0] - targets).square().mean().backward()
            optimiser.step()


def networks(widths: tuple[int, ...], replicates: int) -> None:
    """Time the three ways."""
    torch.manual_seed(0)
    x, y = torch.randn(replicates, SAMPLES, 14), torch.randn(replicates, SAMPLES)

    def stacked() -> None:
        nets = stacked_nets(14, widths, 1, range(replicates))
        train_stacked(nets, squared_error(y, torch.ones_like(y)), x, EPOCHS, lr=LR)

    ways = {
        "stacked": stacked,
        "torch.func.vmap": lambda: train_with_vmap(widths, x, y),
        "one by one": lambda: train_one_by_one(widths, x, y),
    }
    title = f"{replicates} networks {widths}, {EPOCHS} epochs, n = {SAMPLES}"
    report(title, interleaved(ways, rounds=5), "stacked")


def decompositions(n: int, landmarks: int) -> None:
    """Time the choice of 200 ridges, by one decomposition and by scikit-learn's cross-validation of 10."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((n, 14)), rng.standard_normal((n, 1))
    kernel = gaussian_kernels(x, [2.0])[0]
    ways = {
        "GCV, exact": lambda: fit_outputs([eigenbasis(kernel, x)], y),
        f"GCV, {landmarks} landmarks": lambda: fit_outputs([low_rank_basis(kernel, x, landmarks)], y),
        "scikit-learn, 5-fold, 10 ridges": lambda: _searched(kernel, x, y),
    }
    title = f"ridge regression with its ridge chosen, n = {n}"
    report(title, interleaved(ways, rounds=3), "GCV, exact")


def _searched(kernel: GaussianKernel, x: np.ndarray, y: np.ndarray) -> None:
    ridge = KernelRidge(kernel="rbf", gamma=0.5 / kernel.width**2)
    GridSearchCV(ridge, {"alpha": np.geomspace(1e-6, 10, 10)}, cv=5).fit(x, y)


def main() -> None:
    """Print all tables."""
    for widths in ((32,), (64, 32), (128, 64)):
        networks(widths, 40)
    decompositions(1000, 200)
