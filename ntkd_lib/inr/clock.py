"""Clock of the protocol: CPU seconds of the thread, wall seconds, and forward-equivalents."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch


@dataclass
class Clock:
    """Time spent on training and choosing points, evaluation left out.

    CPU seconds count the calling thread alone, so that they vary less than wall seconds on a shared
    machine. Forward-equivalents count work without any clock: one is a forward pass over all points.
    """

    device: str = "cpu"  # waited for before the clock is read
    cpu: float = field(default=0.0, init=False)
    wall: float = field(default=0.0, init=False)
    forwards: float = field(default=0.0, init=False)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run the clock inside the block."""
        wall, cpu = self._now()
        try:
            yield
        finally:
            end_wall, end_cpu = self._now()
            self.wall += end_wall - wall
            self.cpu += end_cpu - cpu

    def _now(self) -> tuple[float, float]:
        if self.device != "cpu":
            torch.cuda.synchronize()
        return time.perf_counter(), time.thread_time()

    @property
    def seconds(self) -> float:
        """The seconds used for verdicts: CPU seconds, or wall seconds on a GPU."""
        return self.cpu if self.device == "cpu" else self.wall
