"""The exact tangent kernel against its peers: ``python -m benchmarks.entk``.

Every way computes the same kernel of the same inputs in a process of its own, on one thread, and takes its
turn with the others. Times are seconds of processor time, so that other work on the machine troubles them
less; memory is the peak above what imports and inputs take.
"""

import argparse
import statistics
import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.entk_checks import checks, print_checks
from benchmarks.entk_ways import TILES, WAYS, growth_of, installed, task
from benchmarks.entk_worker import Worker
from ntkd_lib.lab.atomic import write_json
from ntkd_lib.lab.layout import results_root
from ntkd_lib.lab.manifest import renew_manifest
from ntkd_lib.lab.provenance import snapshot

ROWS = [
    *(("MLP", n, "full") for n in (16, 128, 512)),
    *(("LeNet", n, "full") for n in (64, 256)),
    *(("AlexNet", n, "full") for n in (64, 256)),
    *(("ResNet-18", n, "full") for n in (16, 64)),
    ("MLP", 128, "trace"),
    ("LeNet", 256, "trace"),
    ("AlexNet", 64, "trace"),
    ("ResNet-18", 16, "trace"),
    *((net, 8, "full") for net in ("small encoder", "encoder", "decoder")),
    ("GPT-2 small", 2, "full"),
    ("EfficientNet-Lite0", 8, "trace"),
]
QUICK = [("MLP", 16, "full"), ("LeNet", 64, "full"), ("LeNet", 64, "trace")]
ROUNDS = 3
LONG = 10.0  # seconds: a way that takes longer runs once
PROBE = {"MLP": 4, "LeNet": 16, "AlexNet": 4, "ResNet-18": 2}  # samples of a first run; 1 for other networks
OURS = ("ours, auto", "ours, structured")


def row_name(row: tuple[str, int, str]) -> str:
    """Name a row.

    Returns:
        Such as ``MLP-16-full``.
    """
    return f"{row[0]}-{row[1]}-{row[2]}"


def run_row(row: tuple[str, int, str], limit: float) -> dict[str, dict[str, Any]]:
    """Measure all ways on one row.

    Args:
        limit: Predicted seconds above which a peer is not run.

    Returns:
        By way: ``seconds``, ``wall``, ``mebibytes``, ``runs``, ``error``, ``tile``; or ``predicted``,
        ``missing`` or ``fails``.
    """
    results = {way: _refused(way, row, limit) for way in WAYS}
    workers = {way: Worker(_order(way, row)) for way in WAYS if not results[way]}
    runs: dict[str, list[dict[str, Any]]] = {way: [worker.ask("run")] for way, worker in workers.items()}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kernel.npy"
        workers[OURS[1]].ask(f"save {path}")
        errors = {way: w.ask(f"compare {path}") for way, w in workers.items() if "fails" not in runs[way][0]}
    for way, worker in workers.items():
        if "fails" in runs[way][0] or runs[way][0]["seconds"] > LONG:
            worker.end()
    _take_turns(workers, runs)
    for way in workers:
        results[way] = {**_summary(runs[way]), **errors.get(way, {}), **_tile(way, row)}
    return results


def _take_turns(workers: dict[str, Worker], runs: dict[str, list[dict[str, Any]]]) -> None:
    waiting = {way: worker for way, worker in workers.items() if worker.process.poll() is None}
    for _ in range(ROUNDS):
        for way, worker in waiting.items():
            runs[way].append(worker.ask("run"))
    for worker in waiting.values():
        worker.end()


def _order(way: str, row: tuple[str, int, str]) -> dict[str, Any]:
    return dict(zip(("way", "net", "n", "kind"), (way, *row), strict=True))


def _tile(way: str, row: tuple[str, int, str]) -> dict[str, int]:
    return {"tile": TILES[way](task(*row))} if way in TILES else {}


def _summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    if "fails" in runs[0]:
        return runs[0]
    timed = runs[1:] or runs
    medians = {name: statistics.median(run[name] for run in timed) for name in ("seconds", "wall")}
    return {**medians, "mebibytes": runs[0]["mebibytes"], "runs": len(timed)}


def _refused(way: str, row: tuple[str, int, str], limit: float) -> dict[str, Any]:
    if installed(way) is None:
        return {"missing": "not installed"}
    if way in OURS:
        return {}
    net, n, kind = row
    small = min(PROBE.get(net, 1), n)
    larger = growth_of(way, task(net, small, kind), task(*row))
    predicted = _probe(way, net, small, kind) * larger
    return {"predicted": predicted} if predicted > limit else {}


@cache
def _probe(way: str, net: str, n: int, kind: str) -> float:
    worker = Worker(_order(way, (net, n, kind)))
    answer = worker.ask("run")
    worker.end()
    return answer.get("seconds", 0.0)


def print_row(row: tuple[str, int, str], results: dict[str, dict[str, Any]]) -> None:
    """Print one row's table.

    Args:
        results: Results of `run_row`.
    """
    best = results[OURS[0]]["seconds"]
    print(f"\n{row[0]}, {row[2]} kernel, n = {row[1]}")
    for way, values in results.items():
        print(f"  {way:<28}{_line(values, best)}")


def _line(values: dict[str, Any], best: float) -> str:
    if "predicted" in values:
        return f"not run: predicted above {values['predicted']:,.0f} s, {values['predicted'] / best:,.0f} x"
    if "seconds" not in values:
        return next(iter(values.values()))
    tile = f", {values['tile']} samples at a time" if "tile" in values else ""
    return (
        f"{values['seconds']:10.4f} s {values['seconds'] / best:9.2f} x {values['mebibytes']:8,.0f} MiB   "
        f"relative difference {values['error']:.0e}{tile}"
    )


def main(words: list[str] | None = None) -> None:
    """Measure, print and, if a file is named, write a record.

    Args:
        words: Command line; that of this process when left out.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.entk", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="three small rows and short checks")
    parser.add_argument(
        "--rows", nargs="*", help="rows by name, such as MLP-16-full; none for the checks alone"
    )
    parser.add_argument("--limit", type=float, default=600, help="predicted seconds above which no peer runs")
    parser.add_argument("--json", type=Path, help="file for the record")
    chosen = parser.parse_args(words)
    start = time.perf_counter()
    rows = QUICK if chosen.quick else ROWS
    rows = [row for row in rows if chosen.rows is None or row_name(row) in chosen.rows]
    results = {}
    for row in rows:
        results[row_name(row)] = run_row(row, min(chosen.limit, 15) if chosen.quick else chosen.limit)
        print_row(row, results[row_name(row)])
    checked = checks(quick=chosen.quick)
    print_checks(checked)
    if chosen.json:
        versions = {way: installed(way) for way in WAYS}
        taken = {"seconds": round(time.perf_counter() - start, 1), "limit": chosen.limit, "peers": versions}
        state = {**snapshot(), "threads": 1, **taken}
        write_json(chosen.json, {"rows": results, "checks": checked, "provenance": state})
        if results_root() in chosen.json.absolute().parents:
            renew_manifest(chosen.json)


if __name__ == "__main__":
    main()
