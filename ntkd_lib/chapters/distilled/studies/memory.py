"""Memory of the streamed pass by number of images: peaks of a separate process."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import torch
from torch import Tensor

from ntkd_lib.dntk.stream import StreamedRegression
from ntkd_lib.lab.cells import CellResult
from ntkd_lib.lab.provenance import measure
from ntkd_lib.lab.work import work
from ntkd_lib.nets.two_convolutions import compact_cnn
from ntkd_lib.ntk.sketches.kronecker import KroneckerSketch
from ntkd_lib.ntk.sketches.stream import sketched_batches

CHUNK, SIZE = 50, 256


@work(cost=lambda **_: 10)
def memory(counts: list[int]) -> CellResult:
    """Stream several numbers of images through a network and compare the peaks of memory in MiB."""
    command = [sys.executable, "-c", f"from {__name__} import report; report({sorted(counts)})"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    peaks = json.loads(done.stdout.splitlines()[-1])
    return CellResult({"rows": [_row(n, peak) for n, peak in zip(sorted(counts), peaks, strict=True)]})


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
        with measure() as measured:
            _stream(count)
        peaks.append(measured.peak_memory_mib)
    print(json.dumps(peaks))


def _stream(count: int) -> None:
    model, sketch = compact_cnn().eval(), KroneckerSketch(SIZE)
    regression = StreamedRegression(10, SIZE)
    for features in sketched_batches(model, _drawn_images(count), sketch, CHUNK):
        regression.add(features, torch.ones(len(features), 10, 1))
    regression.solve([1e-3])


def _drawn_images(count: int) -> Iterator[Tensor]:
    for _ in range(count // CHUNK):
        yield torch.rand(CHUNK, 1, 28, 28)
