"""Foresee how long a run of cells still takes."""

import time
from collections.abc import Mapping

_TRUST = 0.05  # share of all work taken at its guess: the first cells to end are short, and start slowly


class Outlook:
    """Seconds left, from what cells are expected to take and what those that ended took."""

    def __init__(self, costs: Mapping[str, float], workers: int) -> None:
        """Start with the guesses."""
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
        under_way = [
            max(speed * cost - (now - self._begun[key]), 0.0) for key, cost in left if key in self._begun
        ]
        waiting = speed * sum(cost for key, cost in left if key not in self._begun)
        return max([(waiting + sum(under_way)) / self.workers, *under_way])
