"""Cost of the probe: kernels with and without it, ``python -m benchmarks.probe``.

Both take turns on one thread; the ratio is the median of the ratios of neighbouring runs, so that a change of
the machine's speed troubles it less.
"""

import argparse
import statistics
import time
from pathlib import Path

import torch

from benchmarks.entk import ROWS, row_name
from benchmarks.entk_ways import Task, task
from ntkd_lib.lab.atomic import write_json
from ntkd_lib.lab.memory import keep_freed_memory
from ntkd_lib.lab.provenance import snapshot
from ntkd_lib.ntk.empirical import empirical_ntk

ROUNDS = 9


def seconds(todo: Task, *, probe: bool) -> float:
    """Time one kernel.

    Returns:
        Seconds of processor time.
    """
    start = time.process_time()
    with torch.no_grad():
        empirical_ntk(todo.model, todo.x, kind=todo.kind, probe=probe)
    return time.process_time() - start


def ratio(todo: Task, rounds: int = ROUNDS) -> dict[str, float]:
    """Compare a kernel with and without the probe.

    Args:
        rounds: Pairs of runs after one pair for warming up.

    Returns:
        Median seconds ``with`` and ``without``, and the median ``ratio`` of neighbouring runs.
    """
    pairs = [(seconds(todo, probe=True), seconds(todo, probe=False)) for _ in range(rounds + 1)][1:]
    return {
        "with": statistics.median(a for a, _ in pairs),
        "without": statistics.median(b for _, b in pairs),
        "ratio": statistics.median(a / b for a, b in pairs),
    }


def main(words: list[str] | None = None) -> None:
    """Measure, print and, if a file is named, write a record.

    Args:
        words: Command line; that of this process when left out.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.probe", description=__doc__)
    parser.add_argument("--rows", nargs="*", help="rows by name, such as LeNet-64-full")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--json", type=Path, help="file for the record")
    chosen = parser.parse_args(words)
    torch.set_num_threads(1)
    keep_freed_memory()
    rows = {row_name(row): row for row in ROWS if not chosen.rows or row_name(row) in chosen.rows}
    results = {}
    for name, row in rows.items():
        results[name] = ratio(task(*row), chosen.rounds)
        values = results[name]
        print(
            f"{name:<20}{values['with']:9.4f} s {values['without']:9.4f} s {values['ratio']:8.3f}", flush=True
        )
    if chosen.json:
        write_json(chosen.json, {"rows": results, "provenance": {**snapshot(), "threads": 1}})


if __name__ == "__main__":
    main()
