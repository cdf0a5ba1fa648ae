"""Costs: the decomposition of large samples, exact and of low rank, and training, stacked and one by one."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ntkd_lib.chapters.overfitting.problems import INPUTS, NETWORKS, Problem, Sample, Sizes, draw, rmse
from ntkd_lib.lab import CellResult, deterministic, keep_freed_memory
from ntkd_lib.lab.work import work
from ntkd_lib.nets.back_ends import dense_back_end
from ntkd_lib.spectral import gaussian_kernels, noise_floor
from ntkd_lib.spectral.basis import Basis, eigenbasis
from ntkd_lib.spectral.fit import fit_outputs
from ntkd_lib.spectral.low_rank import LowRankBasis, low_rank_basis
from ntkd_lib.spectral.stacked import squared_error, stacked_nets, train_stacked

WIDTHS, LEADING, TEST = (2.0, 4.0), 50, 2000
ROUNDS, RATE = 3, 3e-3


@work(cost=lambda **_: 20.0)
def decompose_large(seed: int, exact_rows: int, low_rank_rows: int, landmarks: int) -> CellResult:
    """Decompose a kernel on many samples, by landmarks and if possible exactly, and fit noisy labels."""
    rows: list[dict[str, Any]] = []
    for size in (exact_rows, low_rank_rows):
        sample = draw(Problem(), Sizes(size, TEST), seed)
        for width in WIDTHS:
            rows += _compare_bases(sample, width, min(landmarks, size // 2), size == exact_rows)
    return CellResult({"rows": rows})


def _compare_bases(sample: Sample, width: float, landmarks: int, with_exact: bool) -> list[dict[str, Any]]:
    kernel = gaussian_kernels(sample.x, [width])[0]
    start = time.perf_counter()
    approximate = low_rank_basis(kernel, sample.x, landmarks)
    seconds = time.perf_counter() - start
    floor = noise_floor(approximate.trace_error, sample.noise_variance)
    row = {"way": "Nystrom", "seconds": seconds, "bound": approximate.trace_error, "accepted": floor.accepted}
    if not with_exact:
        return [{**_fit_row(sample, width, approximate), **row}]
    start = time.perf_counter()
    exact = eigenbasis(kernel, sample.x)
    exact_seconds = time.perf_counter() - start
    low_rank = {**_fit_row(sample, width, approximate), **row, **_errors(exact, approximate)}
    return [{**_fit_row(sample, width, exact), "way": "exact", "seconds": exact_seconds}, low_rank]


def _fit_row(sample: Sample, width: float, basis: Basis | LowRankBasis) -> dict[str, Any]:
    fit = fit_outputs([basis], sample.y[:, None])
    return {
        "width": width,
        "samples": len(sample.y),
        "rank": len(basis.values),
        "rmse": rmse(fit.predict(sample.x_test)[:, 0], sample.y_test),
        "effective": fit.effective_parameters,
    }


def _errors(exact: Basis, approximate: LowRankBasis) -> dict[str, float]:
    count = min(LEADING, len(approximate.values))
    leading = np.abs(approximate.values[:count] / exact.values[:count] - 1).max()
    low = (approximate.vectors * approximate.values) @ approximate.vectors.T
    gram = (exact.vectors * exact.values) @ exact.vectors.T
    return {"leading": float(leading), "frobenius": float(np.linalg.norm(gram - low))}


@work(cost=lambda **_: 10.0)
def compare_speed(samples: int, replicates: int, epochs: int) -> CellResult:
    """Measure processor seconds of a few epochs of each network, stacked and one by one: least of three."""
    deterministic(0)
    torch.set_flush_denormal(True)
    keep_freed_memory()
    x, y = torch.randn(replicates, samples, INPUTS), torch.randn(replicates, samples)
    rows = []
    for network in NETWORKS.values():
        ways = {"loop": _train_one_by_one, "stacked": _train_stacked}
        times = {
            name: min(_processor_seconds(way, network.widths, x, y, epochs) for _ in range(ROUNDS))
            for name, way in ways.items()
        }
        rows.append({"network": network.name, **times})
    return CellResult({"rows": rows})


def _processor_seconds(
    way: Callable[..., None], widths: tuple[int, ...], x: Tensor, y: Tensor, epochs: int
) -> float:
    start = time.process_time()
    way(widths, x, y, epochs)
    return time.process_time() - start


def _train_stacked(widths: tuple[int, ...], x: Tensor, y: Tensor, epochs: int) -> None:
    nets = stacked_nets(INPUTS, widths, 1, range(len(x)))
    train_stacked(nets, squared_error(y, torch.ones_like(y)), x, epochs, lr=RATE)


def _train_one_by_one(widths: tuple[int, ...], x: Tensor, y: Tensor, epochs: int) -> None:
    """Train PyTorch's own modules with its fastest Adam, one after another."""
    for inputs, targets in zip(x, y, strict=True):
        net = dense_back_end((INPUTS, *widths, 1))
        optimiser = torch.optim.Adam(net.parameters(), lr=RATE, fused=True)
        for _ in range(epochs):
            optimiser.zero_grad()
            (net(inputs)[:, 0] - targets).square().mean().backward()
            optimiser.step()
