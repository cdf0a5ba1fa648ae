"""Searches: what a chapter declares for `ntkd search`, what trials draw from, and what is recorded."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, TypeVar

from ntkd_lib.lab.cells import Cell, Record
from ntkd_lib.lab.manifest import read_recorded
from ntkd_lib.lab.work import Data

Range = tuple[float, float, Literal["log", "linear"]]
RunCells = Callable[[Iterable[Cell]], list[Record]]


@dataclass(frozen=True)
class Search:
    """A recorded search of a chapter."""

    name: str  # of its file under `results/searches`, without the ending
    data: tuple[str, ...]  # sets that it reads; the real ones are needed
    conduct: Callable[[Mapping[str, Data], RunCells], Mapping[str, Any]]  # returns what is recorded


@dataclass(frozen=True)
class SearchedMethod:
    """A compared method: its name in metrics and frames, its label in tables, and the space of its search."""

    name: str
    label: str
    space: Mapping[str, Range] | None = None  # None for a method that takes another one's settings


AnyMethod = TypeVar("AnyMethod", bound=SearchedMethod)


def by_name(*methods: AnyMethod) -> dict[str, AnyMethod]:
    """Collect methods by name."""
    return {method.name: method for method in methods}


def run_trials(
    methods: Iterable[SearchedMethod],
    trials: int,
    seeds: Sequence[int],
    settings: Callable[[Any, int], Mapping[str, float]],  # of a method's trial by number
    cell: Callable[[Any, int, Mapping[str, float]], Cell],  # its record has `validation`
    run: RunCells,
) -> list[dict[str, Any]]:
    """Run as many trials of each method that has a space, without test data; one row per method and trial."""
    points = [(m, settings(m, trial)) for m in methods if m.space is not None for trial in range(trials)]
    records = iter(run([cell(method, seed, drawn) for method, drawn in points for seed in seeds]))
    groups = [[next(records) for _ in seeds] for _ in points]
    return [
        {
            "method": method.name,
            "settings": dict(drawn),
            "validation": [record.values["validation"] for record in own],
            "seconds": [record.provenance["seconds"] for record in own],
        }
        for (method, drawn), own in zip(points, groups, strict=True)
    ]


def spaces(methods: Iterable[SearchedMethod]) -> dict[str, dict[str, Range]]:
    """Collect the spaces of the methods that have one, by name."""
    return {method.name: dict(method.space) for method in methods if method.space is not None}


def space_rows(methods: Iterable[SearchedMethod]) -> list[tuple[str, str]]:
    """Write what searches draw from, methods of one space together."""
    labels: dict[str, list[str]] = {}
    for method in methods:
        if method.space:
            words = (f"{n} {low:g} to {high:g} ({scale})" for n, (low, high, scale) in method.space.items())
            labels.setdefault(", ".join(words), []).append(method.label)
    return [("; ".join(names), words) for words, names in labels.items()]


def settings_text(settings: Mapping[str, float]) -> str:
    """Write the settings of a trial."""
    return ", ".join(f"{name} {value:g}" for name, value in settings.items())


def draw(
    space: Mapping[str, Range], seed: int, trial: int, *, points: int, dimensions: int | None = None
) -> dict[str, float]:
    """Draw the settings of a trial: a point of a scrambled Sobol sequence, which covers a space evenly."""
    from scipy.stats import qmc

    point = qmc.Sobol(dimensions or len(space), rng=seed).random(points)[trial]
    pairs = zip(space.items(), point[: len(space)], strict=True)
    return {name: place(bounds, share) for (name, bounds), share in pairs}


def place(bounds: Range, share: float) -> float:
    """Compute the value at a share of a range, rounded to three significant digits."""
    low, high, scale = bounds
    if scale == "log":
        low, high = math.log(low), math.log(high)
    value = low + share * (high - low)
    return float(f"{math.exp(value) if scale == 'log' else value:.3g}")


@cache
def read_search(notebook: str) -> dict[str, Any]:
    """Read a notebook's recorded search: `trials`, `budget`, `provenance` and what else it wrote."""
    return read_recorded(f"searches/{notebook}.json")


def best_of(trials: Iterable[dict[str, Any]], method: str) -> dict[str, Any]:
    """Return the trial of a method with the highest mean validation score (the first of equals)."""
    return max((trial for trial in trials if trial["method"] == method), key=mean_validation)


def at_speed_of(settings: dict[str, Any], leader: dict[str, Any]) -> dict[str, Any]:
    """Replace learning rate and weight decay by those of the arm that a method is compared with."""
    return {**settings, "lr": leader["lr"], "weight_decay": leader["weight_decay"]}


def mean_validation(trial: dict[str, Any]) -> float:
    """Average what a trial reached on validation data."""
    return sum(trial["validation"]) / len(trial["validation"])
