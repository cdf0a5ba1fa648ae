"""Say how far a run is and how long it still takes: a bar in a terminal, plain lines in a log."""

import sys
import time
from collections.abc import Mapping
from typing import Literal, Self

from tqdm import tqdm

Mode = Literal["auto", "bar", "plain", "none"]
_QUIET = 10.0  # seconds between plain lines
_TRUST = 0.05  # share of all work taken at its guess: the first cells to end are short, and start slowly


class Outlook:
    """Seconds left, from what cells are expected to take and what those that ended took."""

    def __init__(self, costs: Mapping[str, float], workers: int) -> None:
        self.workers = workers
        self._left = dict(costs)
        self._begun: dict[str, float] = {}  # when, by key
        self._expected = self._taken = _TRUST * sum(costs.values())

    def begin(self, key: str) -> None:
        """Note that a worker takes a cell, now; for the second time if the first worker died."""
        self._begun[key] = time.monotonic()

    def end(self, key: str, *, done: bool) -> None:
        """Note that nothing is left to do of a cell; the time of one that is not `done` says nothing."""
        cost, begun = self._left.pop(key), self._begun.pop(key, None)
        if done and begun is not None:
            self._expected += cost
            self._taken += time.monotonic() - begun

    def expected(self, key: str) -> float:
        """Estimate the seconds of a cell that has not begun."""
        return self._left[key] * self._speed()

    def _speed(self) -> float:
        return self._taken / self._expected if self._expected > 0 else 1.0

    def seconds_left(self) -> float:
        """Share the work that is left among the workers; a cell under way is not shared."""
        now = time.monotonic()
        speed = self._speed()
        left = self._left.items()
        under_way = [max(speed * cost - (now - self._begun[k]), 0.0) for k, cost in left if k in self._begun]
        waiting = speed * sum(cost for key, cost in left if key not in self._begun)
        return max([(waiting + sum(under_way)) / self.workers, *under_way])


def duration(seconds: float) -> str:
    """Write a time as people say it."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


class Progress:
    """Cells done, remaining and time left, on standard error."""

    def __init__(self, total: int, costs: Mapping[str, float], workers: int, mode: Mode = "auto") -> None:
        self.total = total
        self.done = total - len(costs)
        self.stream = sys.stderr
        self.mode = mode if mode != "auto" else "bar" if self.stream.isatty() else "plain"
        self.outlook = Outlook(costs, workers)
        self._start = self._said = time.monotonic()
        self._bar: tqdm | None = None

    def __enter__(self) -> Self:
        left = self.total - self.done
        run = f", {left} to run, about {duration(self.outlook.seconds_left())}" if left else ""
        self._line(f"{self.done} of {self.total} cells from the store{run}")
        if self.mode == "bar" and left:
            shape = "{percentage:3.0f}%|{bar}| {n_fmt} of {total_fmt} cells{postfix}"
            self._bar = tqdm(total=self.total, initial=self.done, file=self.stream, bar_format=shape)
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def advance(self, key: str) -> None:
        """Count a finished cell."""
        self.done += 1
        self.outlook.end(key, done=True)
        if self._bar is not None:
            self._bar.set_postfix_str(self._ahead(), refresh=False)
            self._bar.update()
        now = time.monotonic()
        if self.done == self.total:
            self.say(f"{self.total} of {self.total} cells done in {duration(now - self._start)}")
        elif self.mode == "plain" and now - self._said >= _QUIET:
            self._said = now
            self._line(f"{self.done} of {self.total} cells done, {self._ahead()}")

    def say(self, line: str) -> None:
        """Print a line of its own, whatever the mode but `none`."""
        if self._bar is not None:
            self._bar.write(line, file=self.stream)
        else:
            self._line(line)

    def _ahead(self) -> str:
        return f"{self.total - self.done} left, about {duration(self.outlook.seconds_left())}"

    def _line(self, text: str) -> None:
        if self.mode != "none":
            print(text, file=self.stream, flush=True)
