"""Foresee how long a run of cells still takes."""

import time
from collections.abc import Iterable
from dataclasses import dataclass

_TRUST = 0.05  # share of all work taken at its guess: the first cells to end are short, and start slowly


@dataclass(frozen=True)
class _Begun:
    cost: float
    at: float


class Outlook:
    """Seconds left, from what cells are expected to take and what those that ended took.

    Guesses hold until cells end: the seconds that those took against those expected, together with a
    twentieth of the whole work taken at its guess, are the speed of the rest.

    Args:
        costs: Expected seconds of each cell to run.
        workers: Cells that run at a time.
    """

    def __init__(self, costs: Iterable[float], workers: int) -> None:
        """Start with the guesses."""
        self.workers = workers
        self._left = sum(costs)
        self._expected = self._taken = _TRUST * self._left
        self._begun: dict[str, _Begun] = {}

    def begin(self, key: str, cost: float) -> None:
        """Note that a worker takes a cell, now; for the second time where the first worker died.

        Args:
            key: Content key of the cell.
            cost: Its expected seconds.
        """
        self._begun[key] = _Begun(cost, time.monotonic())

    def end(self, key: str, cost: float, *, done: bool) -> None:
        """Note that nothing is left to do of a cell.

        Args:
            key: Content key of the cell.
            cost: Its expected seconds.
            done: Whether it ran to its end; the time of a failed one says nothing.
        """
        self._left -= cost
        begun = self._begun.pop(key, None)
        if begun and done:
            self._expected += cost
            self._taken += time.monotonic() - begun.at

    def seconds_left(self) -> float:
        """Share the work that is left among the workers; a cell under way is not shared.

        Returns:
            Seconds, 0 or more.
        """
        now = time.monotonic()
        speed = self._taken / self._expected if self._expected > 0 else 1.0
        begun = [*self._begun.values()]  # joblib's own thread begins cells meanwhile
        under_way = [max(speed * cell.cost - (now - cell.at), 0.0) for cell in begun]
        waiting = max(speed * (self._left - sum(cell.cost for cell in begun)), 0.0)
        return max([(waiting + sum(under_way)) / self.workers, *under_way])
