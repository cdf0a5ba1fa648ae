"""Cells that measure the memory of the streamed pass, in a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from ntkd_lib.dntk.stream import StreamedRegression
from ntkd_lib.lab.cells import CellResult, Record
from ntkd_lib.lab.provenance import measure as measured_peak
from ntkd_lib.nets.two_convolutions import compact_cnn
from ntkd_lib.ntk.sketches.kronecker import KroneckerSketch
from ntkd_lib.ntk.sketches.stream import sketched_batches

CHUNK, SIZE = 50, 256


def measure(arguments: Mapping[str, Any], needs: Mapping[str, Record]) -> CellResult:
    """Stream several numbers of images through a network and compare the peaks of memory.

    A process of its own does all. A first stream is not counted, as the next one finds the memory that it
    left in pieces.

    Args:
        arguments: ``counts``: numbers of images.

    Returns:
        ``rows``: images, peak of the whole process in MiB, and what features and an exact kernel of so many
        images would take, by arithmetic.
    """
    del needs
    counts = sorted(int(count) for count in arguments["counts"])
    command = [sys.executable, "-c", f"from {__name__} import report; report({counts})"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    peaks = json.loads(done.stdout.splitlines()[-1])
    return CellResult({"rows": [_row(count, peak) for count, peak in zip(counts, peaks, strict=True)]})


def _row(count: int, peak: float) -> dict[str, float]:
    features, kernel = 4 * 10 * count * SIZE / 2**20, 4 * 10 * count**2 / 2**20
    return {"images": count, "peak": peak, "features": features, "kernel": kernel}


def report(counts: list[int]) -> None:
    """Stream images that are drawn on the way, and print the peak of this process in each stream in MiB."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    _stream(counts[0])
    peaks = []
    for count in counts:
        with measured_peak() as found:
            _stream(count)
        peaks.append(found.peak_memory_mib)
    print(json.dumps(peaks))


def _stream(count: int) -> None:
    model, sketch = compact_cnn().eval(), KroneckerSketch(SIZE)
    regression = StreamedRegression(10, SIZE)
    for features in sketched_batches(model, _drawn(count), sketch, CHUNK):
        regression.add(features, torch.ones(len(features), 10, 1))
    regression.solve([1e-3])


def _drawn(count: int) -> Iterator[Tensor]:
    for _ in range(count // CHUNK):
        yield torch.rand(CHUNK, 1, 28, 28)
