"""Checks of our way alone: share of the matrix-product rate, growth of cost, memory of tiles."""

import statistics
import time
from math import log
from typing import Any

import torch

from benchmarks.entk_ways import NETS, Task, mlp, ours, task
from benchmarks.entk_worker import Worker
from benchmarks.sequence_nets import SequenceEncoder
from ntkd_lib.lab.memory import keep_freed_memory
from ntkd_lib.ntk.choice import measure_network, predicted_work

SIZES = {
    "n": (64, 128, 256, 512),
    "c": (4, 8, 16, 32),
    "width": (512, 1024, 2048, 4096),
    "t": (16, 32, 64, 128),
}
TILE = 64


def checks(*, quick: bool) -> dict[str, Any]:
    """Run all checks."""
    torch.set_num_threads(1)
    keep_freed_memory()
    divisor = 4 if quick else 1
    return {
        "rate": rate_share(512 // divisor),
        "growth": {axis: growth(axis, divisor) for axis in SIZES},
        "tiles": tile_memory(divisor),
    }


def timed(function: Any, rounds: int = 3) -> float:
    """Measure the median processor time of a function after one warm-up run.

    Returns:
        Seconds.
    """
    function()
    taken = []
    for _ in range(rounds):
        start = time.process_time()
        function()
        taken.append(time.process_time() - start)
    return statistics.median(taken)


def minimum_work(n: int, classes: int = 10) -> int:
    """Count the operations that the MLP's full kernel takes at least, one half of the symmetric one.

    One forward pass, the signals of all classes, and two Gram matrices per layer.
    """
    layers = [(m.in_features, m.out_features) for m in NETS["MLP"][0]() if isinstance(m, torch.nn.Linear)]
    forward = sum(2 * n * k * o for k, o in layers)
    signals = sum(2 * n * classes * k * o for k, o in layers[1:])
    grams = sum(n * (n + 1) * (k + classes**2 * o) for k, o in layers)
    return forward + signals + grams


def rate_share(n: int) -> dict[str, float]:
    """Compare the rate at which the MLP's full kernel is computed with that of one large product.

    Returns:
        ``n``, both rates in GFLOP/s and the share.
    """
    a, b = torch.rand(4096, 4096), torch.rand(4096, 4096)
    todo, compute = task("MLP", n, "full"), ours("structured")
    pairs = [(timed(lambda: a @ b, 1), timed(lambda: compute(todo), 1)) for _ in range(3)]
    product = statistics.median(2e-9 * 4096**3 / seconds for seconds, _ in pairs)
    kernel = statistics.median(1e-9 * minimum_work(n) / seconds for _, seconds in pairs)
    return {"n": n, "product": product, "kernel": kernel, "share": kernel / product}


def growth(axis: str, divisor: int) -> dict[str, Any]:
    """Fit the exponent of time along an axis, and of the predicted operations.

    Args:
        axis: samples ``n``, classes ``c`` or ``width`` of the MLP, length ``t`` of an encoder's sequences.

    Returns:
        ``sizes``, ``seconds``, and the exponents ``measured`` and ``theory``.
    """
    sizes = [size // divisor if axis == "n" else size for size in SIZES[axis]]
    tasks = [sized_task(axis, size, 128 // divisor) for size in sizes]
    seconds = [timed(lambda t=t: ours("structured")(t)) for t in tasks]
    works = []
    for todo in tasks:
        taken = measure_network(todo.model, todo.x[:1], todo.kind)
        works.append(predicted_work(taken, len(todo.x), len(todo.x), todo.kind)["structured"])
    fits = {"measured": slope(sizes, seconds), "theory": slope(sizes, works)}
    return {"sizes": sizes, "seconds": seconds, **fits}


def sized_task(axis: str, size: int, n: int) -> Task:
    """Build a task of one size along an axis."""
    if axis == "width":
        return Task(mlp(size).eval(), torch.rand(n, 784), "full", 10)
    if axis == "t":
        return Task(SequenceEncoder(64).eval(), torch.rand(n // 16, size, 64), "trace", 10)
    return task("MLP", size, "full") if axis == "n" else task("MLP", n, "full", size)


def slope(sizes: list[int], values: list[float]) -> float:
    """Fit an exponent by least squares of logarithms."""
    fit = statistics.linear_regression([log(s) for s in sizes], [log(v) for v in values])
    return fit.slope


def tile_memory(divisor: int) -> dict[str, Any]:
    """Measure the peak of a tiled full kernel while the batch grows four times.

    Returns:
        ``tile``, MiB of two tiles and their block, and by number of samples the peak, the output and their
        ratio ``peak / (tile + output)``.
    """
    tile = TILE // divisor
    one = _peak(2 * tile, tile) - _output(2 * tile)
    rows = []
    for n in (256 // divisor, 512 // divisor, 1024 // divisor):
        peak = _peak(n, tile)
        row = {"n": n, "mebibytes": peak, "output": _output(n), "ratio": peak / (one + _output(n))}
        rows.append(row)
    return {"tile": tile, "one": one, "rows": rows}


def _output(n: int, classes: int = 10) -> float:
    return 4 * n * n * classes**2 / 2**20


def _peak(n: int, tile: int) -> float:
    worker = Worker({"way": "ours, structured", "net": "MLP", "n": n, "kind": "full", "tile": tile})
    peak = worker.ask("run")["mebibytes"]
    worker.end()
    return peak


def print_checks(results: dict[str, Any]) -> None:
    """Print the results of `checks`."""
    rate, tiles = results["rate"], results["tiles"]
    print(f"\nrate of the MLP's full kernel, n = {rate['n']}, on the fewest operations:")
    print(f"  {rate['kernel']:.1f} of {rate['product']:.1f} GFLOP/s, {100 * rate['share']:.0f} %")
    print("growth of time, MLP, full kernel; in t an encoder, trace kernel (exponent measured, theory):")
    for axis, fit in results["growth"].items():
        print(f"  in {axis} over {fit['sizes']}: {fit['measured']:.2f}, {fit['theory']:.2f}")
    print(
        f"peak memory in tiles of {tiles['tile']} samples, two tiles and their block {tiles['one']:.0f} MiB:"
    )
    for row in tiles["rows"]:
        print(
            f"  n = {row['n']:<6}{row['mebibytes']:8.0f} MiB, output {row['output']:.0f} MiB, "
            f"{row['ratio']:.2f} x (tile + output)"
        )
