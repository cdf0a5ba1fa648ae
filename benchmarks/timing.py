"""Timing: the median of interleaved runs, so that a busy machine troubles both sides alike."""

import statistics
import time
from collections.abc import Callable, Mapping

import torch

from ntkd_lib.lab.memory import keep_freed_memory


def interleaved(ways: Mapping[str, Callable[[], object]], rounds: int = 7) -> dict[str, float]:
    """Time several ways in turn.

    Args:
        rounds: How often each runs after one run for warming up.

    Returns:
        Median seconds by name, on one thread.
    """
    return {name: statistics.median(values) for name, values in interleaved_values(ways, rounds).items()}


def interleaved_values(
    ways: Mapping[str, Callable[[], object]], rounds: int, clock: Callable[[], float] = time.process_time
) -> dict[str, list[float]]:
    """Time several ways in turn and return the seconds of all rounds."""
    torch.set_num_threads(1)
    keep_freed_memory()
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        way()
    for _ in range(rounds):
        for name, way in ways.items():
            start = clock()
            way()
            taken[name].append(clock() - start)
    return taken


def report(title: str, seconds: Mapping[str, float], ours: str) -> None:
    """Print times, and how many times faster ours is.

    Args:
        seconds: Median seconds by name.
    """
    print(title)
    for name, value in seconds.items():
        ratio = "" if name == ours else f"  {value / seconds[ours]:8.2f} x of {ours}"
        print(f"  {name:<44}{1e3 * value:10.2f} ms{ratio}")
