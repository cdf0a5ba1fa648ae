"""Say how far a run is: a bar in a terminal, plain lines in a log."""

import sys
import time
from collections.abc import Mapping
from typing import Literal, Self

from tqdm import tqdm

from ntkd_lib.lab.outlook import Outlook

Mode = Literal["auto", "bar", "plain", "none"]
_QUIET = 10.0  # seconds between plain lines


def duration(seconds: float) -> str:
    """Write a time as people say it.

    >>> duration(4.2), duration(200.0), duration(7500.0)
    ('4 s', '3 min 20 s', '2 h 5 min')
    """
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
        """Say what is there and what is to do."""
        left = self.total - self.done
        self._line(f"{self.done} of {self.total} cells from the store{self._to_run(left)}")
        if self.mode == "bar" and left:
            shape = "{percentage:3.0f}%|{bar}| {n_fmt} of {total_fmt} cells{postfix}"
            self._bar = tqdm(total=self.total, initial=self.done, file=self.stream, bar_format=shape)
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the line of the bar."""
        if self._bar is not None:
            self._bar.close()

    def advance(self, key: str) -> None:
        """Count a finished cell."""
        self.done += 1
        self.outlook.end(key, done=True)
        if self._bar is not None:
            self._bar.set_postfix_str(self._ahead(), refresh=False)
            self._bar.update()
        self._tell()

    def say(self, line: str) -> None:
        """Print a line of its own, whatever the mode but `none`."""
        if self._bar is not None:
            self._bar.write(line, file=self.stream)
        else:
            self._line(line)

    def _tell(self) -> None:
        now = time.monotonic()
        if self.done == self.total:
            self.say(f"{self.total} of {self.total} cells done in {duration(now - self._start)}")
        elif self.mode == "plain" and now - self._said >= _QUIET:
            self._said = now
            self._line(f"{self.done} of {self.total} cells done, {self._ahead()}")

    def _to_run(self, left: int) -> str:
        return f", {left} to run, about {duration(self.outlook.seconds_left())}" if left else ""

    def _ahead(self) -> str:
        return f"{self.total - self.done} left, about {duration(self.outlook.seconds_left())}"

    def _line(self, text: str) -> None:
        if self.mode != "none":
            print(text, file=self.stream, flush=True)
