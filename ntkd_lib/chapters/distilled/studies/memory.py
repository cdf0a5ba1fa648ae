"""Memory of the streamed pass by number of images: peaks of a separate process."""

import json
import os
import subprocess
import sys

import torch

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
    entry = 4 * 10 / 2**20  # MiB of ten classes in float32
    rows = [
        {"images": n, "peak": peak, "features": entry * n * SIZE, "kernel": entry * n**2}
        for n, peak in zip(sorted(counts), peaks, strict=True)
    ]
    return CellResult({"rows": rows})


def report(counts: list[int]) -> None:
    """Stream images that are drawn on the way, and print the peak of this process in each stream in MiB."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    _stream(counts[0])
    peaks = []
    for count in counts:
        with measure() as measured:
            _stream(count)
        peaks.append(measured["peak_memory_mib"])
    print(json.dumps(peaks))


def _stream(count: int) -> None:
    model, sketch = compact_cnn().eval(), KroneckerSketch(SIZE)
    regression = StreamedRegression(10, SIZE)
    images = (torch.rand(CHUNK, 1, 28, 28) for _ in range(count // CHUNK))
    for features in sketched_batches(model, images, sketch, CHUNK):
        regression.add(features, torch.ones(len(features), 10, 1))
    regression.solve([1e-3])
