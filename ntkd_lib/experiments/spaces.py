"""Spaces that recorded searches draw settings from: named ranges, each with a scale of its own."""

import math
from collections.abc import Iterable, Mapping
from typing import Literal, Protocol, runtime_checkable

Range = tuple[float, float, Literal["log", "linear"]]


@runtime_checkable
class Searched(Protocol):
    """A method that a search may have tried."""

    @property
    def label(self) -> str:
        """What tables call it."""

    @property
    def space(self) -> Mapping[str, Range] | None:
        """What its search draws from; None where it takes another method's settings."""


def space_rows(methods: Iterable[Searched]) -> list[tuple[str, str]]:
    """Write what searches draw from, methods of one space together.

    >>> from types import SimpleNamespace
    >>> space_rows([SimpleNamespace(label=name, space={"lr": (0.1, 1, "log")}) for name in "ab"])
    [('a; b', 'lr 0.1 to 1 (log)')]
    """
    found: dict[str, list[str]] = {}
    for method in methods:
        if method.space:
            words = (
                f"{name} {low:g} to {high:g} ({scale})" for name, (low, high, scale) in method.space.items()
            )
            found.setdefault(", ".join(words), []).append(method.label)
    return [("; ".join(labels), words) for words, labels in found.items()]


def place(bounds: Range, share: float) -> float:
    """Give the value at a share of a range, rounded to three significant digits."""
    low, high, scale = bounds
    if scale == "log":
        low, high = math.log(low), math.log(high)
    value = low + share * (high - low)
    return float(f"{math.exp(value) if scale == 'log' else value:.3g}")
