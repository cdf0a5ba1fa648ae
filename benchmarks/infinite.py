"""Infinitely many filters on colour images: the compiled sum of rows against the general closed form."""

import torch

from benchmarks.timing import interleaved, report
from ntkd_lib.ntk.infinite.convolutional import convolutional_kernels
from ntkd_lib.ntk.infinite.flattened import TILE, flattened_ntk


def main() -> None:
    """Print the table, with nanoseconds a pair of images and position."""
    images = torch.randint(0, 256, (2 * TILE, 3, 32, 32), generator=torch.Generator().manual_seed(0))
    left, right = images.to(torch.uint8).split(TILE)

    def fast(*, compiled: bool) -> torch.Tensor:
        return flattened_ntk(left, right, filter_size=7, compiled=compiled)

    ways = {
        "compiled sum of rows": lambda: fast(compiled=True),
        "sum of rows": lambda: fast(compiled=False),
        "general closed form, float32": lambda: convolutional_kernels(
            left, right, filter_size=7, dtype=torch.float32
        ),
    }
    seconds = interleaved(ways, rounds=5)
    report(
        f"tangent kernel of {TILE} x {TILE} colour images, 1,024 positions", seconds, "compiled sum of rows"
    )
    for name, value in seconds.items():
        print(f"  {name:<44}{1e9 * value / (TILE**2 * 1024):10.2f} ns a pair and position")
