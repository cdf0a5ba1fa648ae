"""One way on one task in a process of its own, so that its peak memory is its own and runs can take turns."""

import json
import subprocess
import sys
import time
from typing import Any

import numpy as np
import psutil
import torch

from benchmarks.entk_ways import WAYS, Task, ours, task
from ntkd_lib.lab.memory import keep_freed_memory
from ntkd_lib.lab.provenance import measure

MEBI = 2**20


class Worker:
    """A process that computes one kernel on request.

    Args:
        order: What it computes: ``way``, ``net``, ``n``, ``kind``; further ``tile``, ``other``, ``classes``.
    """

    def __init__(self, order: dict[str, Any]) -> None:
        """Start the process."""
        command = [sys.executable, "-W", "ignore", "-m", "benchmarks.entk_worker", json.dumps(order)]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True
        )

    def ask(self, words: str) -> dict[str, Any]:
        """Request a run or a comparison.

        Args:
            words: ``run``, ``save FILE`` or ``compare FILE``.

        Returns:
            Response of the process; ``{"fails": ...}`` if it ended.
        """
        try:
            self.process.stdin.write(words + "\n")
            self.process.stdin.flush()
            answer = self.process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        return json.loads(answer) if answer else {"fails": "the process ended, out of memory"}

    def end(self) -> None:
        """End the process."""
        self.process.communicate()


def main(order: dict[str, Any]) -> None:
    """Process the requests line by line."""
    torch.set_num_threads(1)
    keep_freed_memory()
    todo = task(order["net"], order["n"], order["kind"], order.get("classes", 10))
    way = ours("structured", order["tile"]) if order.get("tile") else WAYS[order["way"]]
    _touch()
    kernel = None
    for line in sys.stdin:
        words = line.strip().split(" ", 1)
        if words[0] == "run":
            kernel = None
            kernel, answer = _run(way, todo)
        elif words[0] == "save":
            answer = _save(kernel, words[1])
        else:
            answer = _compare(kernel, words[1])
        print(json.dumps(answer), flush=True)


def _touch() -> None:
    # the first matrix product makes the buffers of the linear algebra library
    torch.rand(512, 512) @ torch.rand(512, 512)


def _run(way: Any, todo: Task) -> tuple[torch.Tensor | None, dict[str, Any]]:
    before = psutil.Process().memory_info().rss
    try:
        with measure() as measured:
            wall, cpu = time.perf_counter(), time.process_time()
            kernel = way(todo).detach()
            taken = {"seconds": time.process_time() - cpu, "wall": time.perf_counter() - wall}
    except Exception as error:  # nngeometry raises it itself for a layer that it does not know
        return None, {"fails": f"{type(error).__name__}: {str(error).splitlines()[0][:80]}"}
    return kernel, {**taken, "mebibytes": measured["peak_memory_mib"] - before / MEBI}


def _save(kernel: torch.Tensor, path: str) -> dict[str, Any]:
    np.save(path, kernel.numpy())
    return {}


def _compare(kernel: torch.Tensor, path: str) -> dict[str, Any]:
    expected = torch.from_numpy(np.load(path))
    return {"error": ((kernel - expected).norm() / expected.norm()).item()}


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
