"""Cells that measure the memory of the streamed pass, each stream in a process of its own."""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from ntkd_lib.dntk.stream import StreamedRegression
from ntkd_lib.nets.compact_cnn import compact_cnn
from ntkd_lib.ntk.sketches.kronecker import KroneckerSketch
from ntkd_lib.ntk.sketches.stream import sketched_batches
from ntkd_lib.records.cells import CellResult, Record

CHUNK, SIZE = 50, 256
COUNTS = (200, 1000)
UNIT = 2**20 if sys.platform == "darwin" else 2**10  # the system counts in bytes, or in KiB


def measure(arguments: Mapping[str, Any], needs: Mapping[str, Record]) -> CellResult:
    """Stream two numbers of images through a network and compare the peaks of memory.

    Args:
        arguments: ``counts``: numbers of images.
        needs: Nothing.

    Returns:
        ``rows``: images, peak of the whole process in MiB, and what features and an exact kernel of so many
        images would take, by arithmetic.
    """
    del needs
    rows = []
    for count in arguments["counts"]:
        command = [sys.executable, "-c", f"from {__name__} import report; report({int(count)})"]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        features, kernel = 4 * 10 * count * SIZE / 2**20, 4 * 10 * count**2 / 2**20
        peak = json.loads(done.stdout.splitlines()[-1])["peak"]
        rows.append({"images": count, "peak": peak, "features": features, "kernel": kernel})
    return CellResult({"rows": rows})


def report(count: int) -> None:
    """Stream images that are drawn on the way, and print the peak of this process in MiB.

    Args:
        count: Number of images.
    """
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model, sketch = compact_cnn().eval(), KroneckerSketch(SIZE)
    regression = StreamedRegression(10, SIZE)
    for features in sketched_batches(model, _drawn(count), sketch, CHUNK):
        regression.add(features, torch.ones(len(features), 10, 1))
    regression.solve([1e-3])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 2**10 / UNIT
    print(json.dumps({"peak": peak / 2**10}))


def _drawn(count: int) -> Iterator[Tensor]:
    for _ in range(count // CHUNK):
        yield torch.rand(CHUNK, 1, 28, 28)
