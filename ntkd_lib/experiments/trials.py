"""Trials of a search: points that cover a space evenly."""

from collections.abc import Callable, Mapping
from typing import Any

from scipy.stats import qmc

from ntkd_lib.experiments.spaces import Range, place
from ntkd_lib.lab.cells import Cell, Record


def draw(
    space: Mapping[str, Range], seed: int, trial: int, *, points: int, dimensions: int | None = None
) -> dict[str, float]:
    """Give the settings of a trial: a point of a scrambled Sobol sequence, which covers a space evenly."""
    point = qmc.Sobol(dimensions or len(space), rng=seed).random(points)[trial]
    pairs = zip(space.items(), point[: len(space)], strict=True)
    return {name: place(bounds, share) for (name, bounds), share in pairs}


def trial_rows(
    cells: Mapping[tuple[str, int], list[Cell]],
    records: Mapping[str, Record],
    settings: Callable[[str, int], Mapping[str, float]],
) -> list[dict[str, Any]]:
    """List the trials of a search with their validation scores; no test data are read."""
    return [
        {
            "method": method,
            "settings": settings(method, trial),
            "validation": [records[cell.name].values["validation"] for cell in trials],
            "seconds": [records[cell.name].provenance["seconds"] for cell in trials],
        }
        for (method, trial), trials in cells.items()
    ]
