"""Cost of a refresh of the score, and of the choice of points relative to a training step."""

import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from ntkd_lib.chapters.nint.methods import SHARE
from ntkd_lib.chapters.nint.parameters import NintParameters
from ntkd_lib.inr import ErrorMemory, Signal, TrainingRun, UniformDraw, build
from ntkd_lib.inr.network import StackNetwork
from ntkd_lib.inr.scores import fused, separate
from ntkd_lib.lab import Cell, CellResult, deterministic, keep_freed_memory
from ntkd_lib.lab.work import work

HIDDEN = 4


def medians(ways: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Measure median CPU seconds of functions in turn, on this thread; the first round is discarded."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for count in range(rounds + 1):
        for name, way in ways.items():
            start = time.thread_time()
            way()
            if count:
                taken[name].append(time.thread_time() - start)
    return {name: statistics.median(values) for name, values in taken.items()}


@work(cost=lambda points, **_: 1 + 7e-4 * points)
def refresh(points: int, width: int, rounds: int = 3) -> CellResult:
    """Time a forward pass over all points, a fused refresh, and the separate route."""
    deterministic(0)
    keep_freed_memory()
    net = build("siren", 2, 3, width, HIDDEN)
    x, y = 2 * torch.rand(points, 2) - 1, torch.rand(points, 3)
    stack = StackNetwork(net, chunk=1024)
    ways = {
        "forward": lambda: stack.predict(x),
        "fused": lambda: fused(stack, x, y),
        "separate": lambda: separate(net, x, y, chunk=1024),
    }
    return CellResult(medians(ways, rounds))


@work(cost=lambda **_: 9.0)
def million(points: int, width: int, keep: int = 64) -> CellResult:
    """Refresh the score of very many points with `keep` MiB of activations; measure the memory in MiB."""
    deterministic(0)
    net = build("siren", 2, 3, width, HIDDEN)
    stack = StackNetwork(net)
    x, y = 2 * torch.rand(points, 2) - 1, torch.rand(points, 3)
    before = _fresh_peak()
    forward = medians({"forward": lambda: stack.predict(x)}, 1)
    taken = medians({"refresh": lambda: fused(stack, x, y, keep=keep * 2**20)}, 1)
    everything = 8 * points * width * (HIDDEN + 1) / 2**20
    return CellResult({**forward, **taken, "rise": before and _peak() - before, "everything": everything})


def _fresh_peak() -> float | None:
    """Let the system forget the largest resident memory so far, and read it, MiB; None if it cannot."""
    try:
        Path("/proc/self/clear_refs").write_text("5", "ascii")  # of Linux alone
    except OSError:
        return None
    return _peak()


def _peak() -> float:
    """Read the largest resident memory of this process so far, MiB."""
    import resource  # not on Windows, which imports this module too

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@work(cost=lambda **_: 16.0)
def overhead(side: int, width: int, rounds: int = 3) -> CellResult:
    """Measure the time of samplers to choose and to store errors, and of a uniform training step (`step`)."""
    deterministic(0)
    keep_freed_memory()
    signal = Signal(torch.rand(side * side, 3), (side, side))
    batch = int(SHARE * side * side)
    net = StackNetwork(build("siren", 2, 3, width, HIDDEN), chunk=1024)
    fit = TrainingRun(net, signal, UniformDraw(signal, batch, 0), every=2**30)
    fit.step = 1
    ways: dict[str, Callable[[], object]] = {"step": lambda: fit.advance(1)}
    for name, kind in (("uniform", UniformDraw), ("error_memory", ErrorMemory)):
        sampler = kind(signal, batch, 0)
        ways[name] = lambda sampler=sampler: _choose_and_remember(sampler, fit)
    return CellResult({**medians(ways, rounds), "batch": batch})


def _choose_and_remember(sampler: UniformDraw | ErrorMemory, fit: TrainingRun) -> None:
    indices = sampler.indices(0, fit.view)
    sampler.observe(indices, fit.signal.values[indices])


def cells(p: NintParameters) -> list[Cell]:
    """Describe refreshes of three sizes, one of very many points, and the choice of points."""
    wide = 8 * p.width
    return [
        *(refresh.cell(points=n, width=wide) for n in (p.points // 16, p.points // 4, p.points)),
        million.cell(points=16 * p.points, width=p.width),
        overhead.cell(side=8 * p.side, width=wide),
    ]
