"""Training steps beside plain PyTorch, refreshes of NINT's score, and what samplers add to a step.

``python -m benchmarks.nint`` takes N = 65,536 and a SIREN of 5 × 256; ``--points`` and ``--width`` change it.
"""

import argparse
from collections.abc import Callable, Sequence
from functools import partial

import torch

from benchmarks.precision import split_product
from ntkd_lib.chapters.nint.studies.costs import medians, overhead, refresh
from ntkd_lib.inr.network import AnyNetwork, StackNetwork
from ntkd_lib.inr.networks import build
from ntkd_lib.lab.memory import keep_freed_memory

PLAIN_CHUNK = 2**16  # points of a plain step at a time; 262,144 at once would take 4 GiB


def step_report(side: int, width: int, rounds: int) -> None:
    """Print steps on all points and on a fifth, by hand and by plain PyTorch, beside the rate of products."""
    keep_freed_memory()
    net = build("siren", 2, 3, width, 4)
    a, b = torch.rand(512, width), torch.rand(width, width)
    product = medians({"product": lambda: [a @ b for _ in range(100)]}, 5)["product"] / 100
    rate = 2 * len(a) * b.numel() / product
    weights = [p.numel() for p in net.parameters() if p.ndim == 2]
    work = 6 * sum(weights) - 2 * weights[0]  # forward, gradients of weights and of all inputs but the first
    print(f"step of a SIREN 5 x {width}, CPU seconds of one thread; products run at {rate / 1e9:.0f} GFLOP/s")
    ways = {"by hand": StackNetwork(net), "PyTorch": AnyNetwork(net, PLAIN_CHUNK)}
    for points in (side * side, side * side // 5):
        x, y = 2 * torch.rand(points, 2) - 1, torch.rand(points, 3)
        steps = {name: partial(way.gradient, x, y) for name, way in ways.items()}
        seconds = medians(steps, rounds)
        for name, value in seconds.items():
            ratio, share = value / seconds["by hand"], 100 * work * points / value / rate
            print(
                f"  {name:<9}{points:>9,} points {value:8.3f} s {ratio:6.2f} x "
                f"{share:4.0f} % of the product rate"
            )


def _products(precision: str, way: Callable[[], torch.Tensor]) -> torch.Tensor:
    """Multiply twenty times at a precision of float32 products; return the last result."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        return [way() for _ in range(20)][-1]
    finally:
        torch.set_float32_matmul_precision(before)


def split_report(width: int, rounds: int) -> None:
    """Print float32 products beside those of bfloat16 parts, which AMX multiplies: time and error."""
    keep_freed_memory()
    a, b = torch.randn(512, width), torch.randn(width, width)
    exact = a.double() @ b.double()
    ways = {"float32": partial(_products, "highest", lambda: a @ b)}
    for n in (1, 2, 3):
        ways[f"{n} of bf16"] = partial(_products, "medium", partial(split_product, a, b, n))
    seconds = medians(ways, rounds)
    errors = {name: ((way() - exact).norm() / exact.norm()).item() for name, way in ways.items()}
    amx = torch.cpu.get_capabilities().get("amx_bf16", False)
    print(f"product of 512 x {width} x {width} in parts; AMX for bfloat16: {'yes' if amx else 'no'}")
    for name, value in seconds.items():
        ratio = seconds["float32"] / value
        print(f"  {name:<10}{1e3 * value / 20:8.3f} ms {ratio:6.2f} x as fast, error {errors[name]:.1e}")


def refresh_report(points: int, width: int, rounds: int) -> None:
    """Print a fused refresh in forward-equivalents, and beside forward + vjp + jvp of ``torch.func``."""
    seconds = refresh(points, width, rounds).values
    print(f"score of {points:,} points, SIREN 5 x {width}, CPU seconds of one thread")
    for name, value in seconds.items():
        ratio = value / seconds["forward"]
        print(
            f"  {name:<12}{value:10.3f} s  {ratio:6.2f} forwards  {value / seconds['fused']:6.2f} x of fused"
        )


def overhead_report(side: int, width: int, rounds: int) -> None:
    """Print the time that choosing points adds to a uniform step."""
    seconds = overhead(side, width, rounds).values
    print(f"choosing 20 % of {side * side:,} points, SIREN 5 x {width}")
    for name in ("step", "uniform", "error_memory"):
        value = seconds[name]
        print(f"  {name:<14}{1e3 * value:10.2f} ms  {100 * value / seconds['step']:7.2f} % of a uniform step")


def main(arguments: Sequence[str] = ()) -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=65_536)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args(list(arguments))
    step_report(chosen.side, chosen.width, chosen.rounds)
    split_report(chosen.width, chosen.rounds)
    refresh_report(chosen.points, chosen.width, chosen.rounds)
    overhead_report(chosen.side, chosen.width, chosen.rounds)


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
