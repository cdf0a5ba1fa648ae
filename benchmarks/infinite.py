"""Infinitely many filters on colour images: the compiled sum of rows against two other ways.

``python -m benchmarks.infinite --peer PYTHON`` adds neural-tangents, run by an interpreter that has it, as
`infinite_peer` says, and prints by how much its kernel differs from ours.
"""

import json
import statistics
import subprocess
import tempfile
from pathlib import Path

import click
import numpy as np
import torch

from benchmarks.timing import interleaved, report
from ntkd_lib.ntk.infinite.convolutional import convolutional_kernels
from ntkd_lib.ntk.infinite.flattened import TILE, flattened_ntk

COUNT, ROUNDS = 2 * TILE, 5
OURS = "compiled sum of rows"


def time_peer(python: str) -> tuple[float, np.ndarray]:
    """Run neural-tangents.

    Returns:
        Median seconds, and the kernel.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "kernel.npy")
        command = [python, str(Path(__file__).with_name("infinite_peer.py")), str(COUNT), str(ROUNDS), file]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        return statistics.median(json.loads(done.stdout)), np.load(file)


def main(peer: str | None = None) -> None:
    """Print the table, with nanoseconds per pair of images and position."""
    images = np.random.default_rng(0).integers(0, 256, (2 * COUNT, 3, 32, 32)).astype(np.float32)
    left, right = torch.tensor(images).split(COUNT)
    form = {"filter_size": 7}
    ways = {
        OURS: lambda: flattened_ntk(left, right, compiled=True, **form),
        "sum of rows": lambda: flattened_ntk(left, right, **form),
        "general closed form, float32": lambda: convolutional_kernels(
            left, right, dtype=torch.float32, **form
        ),
    }
    seconds = interleaved(ways, rounds=ROUNDS)
    if peer:
        seconds["neural-tangents"], kernel = time_peer(peer)
    report(f"tangent kernel of {COUNT} x {COUNT} colour images, 1,024 positions", seconds, OURS)
    for name, value in seconds.items():
        print(f"  {name:<44}{1e9 * value / (COUNT**2 * 1024):10.2f} ns a pair and position")
    if peer:
        difference = np.abs(ways[OURS]().numpy() / kernel - 1).max()
        print(f"  largest relative difference from neural-tangents {difference:.1e}")


if __name__ == "__main__":
    click.command()(click.option("--peer", help="Interpreter that has neural-tangents.")(main))()
