"""Speed of stacked training against training one network after another."""

import time
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn

from ntkd_lib.chapters.overfitting.problems import INPUTS, NETWORKS
from ntkd_lib.lab.cells import CellResult
from ntkd_lib.lab.memory import keep_freed_memory
from ntkd_lib.lab.seeds import deterministic
from ntkd_lib.lab.work import work
from ntkd_lib.spectral.stacked import squared_error, stacked_nets, train_stacked

ROUNDS, RATE = 3, 3e-3


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
        net = ordinary(widths)
        optimiser = torch.optim.Adam(net.parameters(), lr=RATE, fused=True)
        for _ in range(epochs):
            optimiser.zero_grad()
            (net(inputs)[:, 0] - targets).square().mean().backward()
            optimiser.step()


def ordinary(widths: tuple[int, ...]) -> nn.Sequential:
    """Build a network of PyTorch's own layers."""
    sizes = [INPUTS, *widths, 1]
    layers = [nn.Linear(before, after) for before, after in pairwise(sizes)]
    between = [part for layer in layers[:-1] for part in (layer, nn.ReLU())]
    return nn.Sequential(*between, layers[-1])
