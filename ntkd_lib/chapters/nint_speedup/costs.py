"""Cells that time a refresh of the score and the choice of points."""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch

from ntkd_lib.inr.network import StackNetwork
from ntkd_lib.inr.networks import build
from ntkd_lib.inr.samplers.error_memory import ErrorMemory
from ntkd_lib.inr.samplers.uniform import UniformDraw
from ntkd_lib.inr.scores import fused, separate
from ntkd_lib.inr.signals import Signal
from ntkd_lib.inr.training import TrainingRun
from ntkd_lib.lab.cells import CellResult, Record
from ntkd_lib.lab.memory import keep_freed_memory
from ntkd_lib.lab.seeds import deterministic


def medians(ways: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Time several ways in turn, in CPU seconds of this thread."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for count in range(rounds + 1):
        for name, way in ways.items():
            start = time.thread_time()
            way()
            if count:
                taken[name].append(time.thread_time() - start)
    return {name: statistics.median(values) for name, values in taken.items()}


def refresh(arguments: Mapping[str, Any], needs: Mapping[str, Record]) -> CellResult:
    """Time a forward pass over all points, a fused refresh, and the separate route.

    Args:
        arguments: ``points``, ``width``, ``hidden``, ``rounds``.

    Returns:
        Seconds by way, and the refresh in forward-equivalents.
    """
    del needs
    deterministic(0)
    keep_freed_memory()
    net = build("siren", 2, 3, arguments["width"], arguments["hidden"])
    x, y = 2 * torch.rand(arguments["points"], 2) - 1, torch.rand(arguments["points"], 3)
    stack = StackNetwork(net, chunk=1024)
    ways = {
        "forward": lambda: stack.predict(x),
        "fused": lambda: fused(stack, x, y),
        "separate": lambda: separate(net, x, y, chunk=1024),
    }
    seconds = medians(ways, arguments["rounds"])
    return CellResult({"seconds": seconds, "forwards": seconds["fused"] / seconds["forward"]})


def million(arguments: Mapping[str, Any], needs: Mapping[str, Record]) -> CellResult:
    """Refresh the score of very many points with little memory kept between the passes.

    Args:
        arguments: ``points``, ``width``, ``hidden``, ``keep`` (MiB).

    Returns:
        Seconds of a forward pass and of the refresh, and by how many MiB memory rose during it; what keeping
        all activations would take.
    """
    del needs
    deterministic(0)
    net = build("siren", 2, 3, arguments["width"], arguments["hidden"])
    count, stack = arguments["points"], StackNetwork(net)
    x, y = 2 * torch.rand(count, 2) - 1, torch.rand(count, 3)
    ways = {"forward": lambda: stack.predict(x)}
    before = _peak()
    seconds = medians(ways, 1) | medians(
        {"refresh": lambda: fused(stack, x, y, keep=arguments["keep"] * 2**20)}, 1
    )
    everything = 8 * count * arguments["width"] * (arguments["hidden"] + 1) / 2**20
    return CellResult({"seconds": seconds, "rise": _peak() - before, "everything": everything})


def _peak() -> float:
    """Largest resident memory of this process so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def overhead(arguments: Mapping[str, Any], needs: Mapping[str, Record]) -> CellResult:
    """Time how long samplers take to choose and to remember, beside a training step.

    Args:
        arguments: ``side`` (points are its square), ``width``, ``hidden``, ``share``, ``rounds``.

    Returns:
        Seconds of a uniform step, and of choosing and remembering alone for uniform and error memory.
    """
    del needs
    deterministic(0)
    keep_freed_memory()
    side = arguments["side"]
    signal = Signal(torch.rand(side * side, 3), (side, side))
    batch = int(arguments["share"] * side * side)
    net = StackNetwork(build("siren", 2, 3, arguments["width"], arguments["hidden"]), chunk=1024)
    fit = TrainingRun(net, signal, UniformDraw(signal, batch, 0), every=2**30)
    fit.step = 1
    ways: dict[str, Callable[[], object]] = {"step": lambda: fit.advance(1)}
    for name, kind in (("uniform", UniformDraw), ("error_memory", ErrorMemory)):
        sampler = kind(signal, batch, 0)
        ways[name] = lambda sampler=sampler: choose_and_remember(sampler, fit)
    return CellResult({"seconds": medians(ways, arguments["rounds"]), "batch": batch})


def choose_and_remember(sampler: UniformDraw | ErrorMemory, fit: TrainingRun) -> None:
    """Do what a sampler adds to one training step."""
    indices = sampler.indices(0, fit.view)
    sampler.observe(indices, fit.signal.values[indices])
