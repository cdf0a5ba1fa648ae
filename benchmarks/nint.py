"""One refresh of NINT's score against the separate route, and what samplers add to a step.

``python -m benchmarks.nint`` takes N = 65,536 and a SIREN of 5 × 256; ``--points`` and ``--width`` change it.
"""

import argparse
from collections.abc import Sequence

from ntkd_lib.chapters.nint.studies.costs import overhead, refresh


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
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=65_536)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args(list(arguments))
    refresh_report(chosen.points, chosen.width, chosen.rounds)
    overhead_report(chosen.side, chosen.width, chosen.rounds)


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
