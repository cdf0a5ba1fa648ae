"""Cells, the independent units of work, and the records that they leave."""

import importlib.metadata
import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from ntkd_lib.lab.digest import digest_json, plain
from ntkd_lib.lab.sources import source_digest


class CellError(RuntimeError):
    """A cell is ill-formed, its work failed, or its record cannot be had; the text is one line."""


@dataclass(frozen=True)
class Cell:
    """One independent unit of work: one data set, method, seed and setting."""

    name: str  # unique in a plan, for people, such as `mnist/ntkd/seed=3`
    work: str  # `package.module:function`, called with arguments and needs; returns a `CellResult`
    arguments: Mapping[str, Any] = field(default_factory=dict)  # plain data
    needs: Mapping[str, "Cell"] = field(default_factory=dict)  # cells whose records the work reads
    data: Mapping[str, str] = field(default_factory=dict)  # SHA-256 of each data set that the work reads
    cost: float | int = 1.0  # expected seconds on one thread, for the order and the time left
    labels: Mapping[str, Any] = field(default_factory=dict)  # what tells the cell from its like in frames

    def __post_init__(self) -> None:
        """Refuse a work function that is not named as `module:function`."""
        module, _, function = self.work.partition(":")
        if not (function.isidentifier() and all(part.isidentifier() for part in module.split("."))):
            raise CellError(f"cell {self.name}: work {self.work!r} is not 'package.module:function'")


@dataclass(frozen=True)
class CellResult:
    """What a work function returns: plain data with finite numbers, and NumPy arrays of plain dtypes."""

    values: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Record:
    """What a cell left in the store."""

    key: str  # content key of the cell
    name: str
    values: dict[str, Any]
    arrays: Mapping[str, np.ndarray]  # read from disk, and checked, at first use
    provenance: dict[str, Any]  # how the record came about; takes no part in equality of results


def cell_key(cell: Cell, *, fresh: bool = False) -> str:
    """Name a cell by its content, without name, labels and cost: equal keys mean equal results."""
    return digest_json(cell_identity(cell, fresh=fresh))


def cell_identity(cell: Cell, *, fresh: bool = False) -> dict[str, Any]:
    """Collect all that a cell's result depends on; `fresh` looks at the source files again."""
    try:
        arguments, data = plain(dict(cell.arguments), "arguments"), plain(dict(cell.data), "data")
        needs = {name: cell_key(need, fresh=fresh) for name, need in cell.needs.items()}
        own = {"arguments": arguments, "data": data, "needs": needs, "work": cell.work}
        return {**own, **code_identity([cell.work.partition(":")[0]], fresh=fresh)}
    except ValueError as error:
        raise CellError(f"cell {cell.name}: {error}") from error


def code_identity(modules: Iterable[str], *, fresh: bool = False) -> dict[str, Any]:
    """Collect what a result depends on of the code: sources of modules, versions of Python and libraries."""
    return {"sources": source_digest(modules, fresh=fresh), "versions": dict(_versions())}


@cache
def _versions() -> tuple[tuple[str, str], ...]:
    libraries = [(name, importlib.metadata.version(name)) for name in ("numpy", "torch")]
    return (("python", ".".join(platform.python_version_tuple()[:2])), *libraries)
