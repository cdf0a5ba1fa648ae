"""Cost of a kernel method: passes, Jacobian rows, operations, seconds and memory, of build and query."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from math import inf
from typing import Literal

import torch

Measure = Literal["forward", "backward", "rows", "flop", "seconds"]


@dataclass(frozen=True)
class Cost:
    """Passes, Jacobian rows, operations, seconds and memory that some work takes."""

    forward: float = 0.0  # passes of one image through the network
    backward: float = 0.0  # passes of one image's signal back through it
    rows: float = 0.0  # Jacobian rows: gradients of one logit of one image
    flop: float = 0.0
    seconds: float = 0.0  # seconds of one thread, if they were measured
    bytes: float = 0.0  # largest amount of memory for arrays that are held at once

    def __add__(self, other: "Cost") -> "Cost":
        """Add the costs of work done in sequence: sums, but the larger memory.

        >>> Cost(rows=2, bytes=8) + Cost(rows=3, bytes=5)
        Cost(forward=0.0, backward=0.0, rows=5, flop=0.0, seconds=0.0, bytes=8)
        """
        sums = {f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)}
        return Cost(**{**sums, "bytes": max(self.bytes, other.bytes)})

    def times(self, count: float) -> "Cost":
        """Multiply the cost by a number of sequential repetitions."""
        scaled = {f.name: count * getattr(self, f.name) for f in fields(self)}
        return Cost(**{**scaled, "bytes": self.bytes})

    def timed(self, seconds: float) -> "Cost":
        """Add measured seconds and memory to counted operations."""
        return replace(self, seconds=seconds)


@dataclass(frozen=True)
class Ledger:
    """The cost ledger of one method."""

    build: Mapping[str, Cost]  # cost before the first prediction, by stage
    query: Cost

    def built(self) -> Cost:
        """Add up the stages of the build."""
        return sum(self.build.values(), Cost())

    def total(self, queries: float) -> Cost:
        """Add up the build and some queries."""
        return self.built() + self.query.times(queries)


def break_even(method: Ledger, other: Ledger, measure: Measure = "flop") -> float:
    """Count the queries from which one method is cheaper than another.

    ``(build - build') / (query' - query)``; 0 if it is cheaper from the start and remains so, infinite if it
    does not stay cheaper.

    >>> exact = Ledger({"all": Cost(flop=10)}, Cost(flop=5))
    >>> reduced = Ledger({"all": Cost(flop=40)}, Cost(flop=2))
    >>> break_even(reduced, exact)
    10.0
    """
    more = getattr(method.built(), measure) - getattr(other.built(), measure)
    saved = getattr(other.query, measure) - getattr(method.query, measure)
    if more <= 0 and saved >= 0:
        return 0.0
    return more / saved if more > 0 and saved > 0 else inf


class Stopwatch:
    """Seconds of work: processor time of this process, or elapsed time if a GPU does the work."""

    def __init__(self, device: str = "cpu") -> None:
        self.device, self.seconds = device, 0.0

    @contextmanager
    def measure(self) -> Iterator[None]:
        """Measure a block; afterwards ``seconds`` holds the result."""
        start = self._now()
        try:
            yield
        finally:
            self.seconds = self._now() - start

    def _now(self) -> float:
        if self.device == "cpu":
            return time.process_time()
        torch.cuda.synchronize()
        return time.perf_counter()
