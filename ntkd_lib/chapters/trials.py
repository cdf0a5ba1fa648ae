"""Trials of a search: the data sets that they need, and their rows in the record."""

from collections.abc import Callable, Mapping
from typing import Any

import click

from ntkd_lib.data.registry import DataLocation, locate
from ntkd_lib.lab.cells import Cell, Record
from ntkd_lib.lab.provenance import code_state


def open_search(*names: str) -> dict[str, DataLocation]:
    """Locate the real data sets of a search, and refuse a checkout with uncommitted changes."""
    located = {name: locate(name) for name in names}
    for name, place in located.items():
        if place.kind != "real":
            raise click.ClickException(f"the search needs the real data set {name}, found a stand-in")
    if code_state()["dirty"]:
        raise click.ClickException("the search needs a checkout without uncommitted changes; commit first")
    return located


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
