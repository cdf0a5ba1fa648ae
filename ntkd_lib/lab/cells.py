"""Cells, the independent units of work, and the records that they leave."""

import importlib.metadata
import platform
from collections.abc import Mapping
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
    """One independent unit of work: one data set, method, seed and setting.

    Attributes:
        name: unique in a plan, for people, such as `mnist/ntkd/seed=3`.
        work: `package.module:function`; called as `work(arguments, needs)`, returns a `CellResult`.
        arguments: plain data.
        uses: modules that the work loads by other ways than static imports.
        needs: cells whose records the work reads, by the name that it knows them by.
        data: data sets that the work reads, with the SHA-256 of each.
        cost: expected seconds on one thread, for the order and the time left.
        labels: what tells the cell from its like in frames.
    """

    name: str
    work: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    uses: tuple[str, ...] = ()
    needs: Mapping[str, "Cell"] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)
    cost: float | int = 1.0
    labels: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a work function that is not named as `module:function`."""
        module, _, function = self.work.partition(":")
        if not (function.isidentifier() and all(part.isidentifier() for part in module.split("."))):
            raise CellError(f"cell {self.name}: work {self.work!r} is not 'package.module:function'")


@dataclass(frozen=True)
class CellResult:
    """What a work function returns.

    Attributes:
        values: plain data; numbers must be finite.
        arrays: NumPy arrays of plain dtypes.
    """

    values: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Record:
    """What a cell left in the store.

    Attributes:
        key: content key of the cell.
        name: name of the cell.
        values: plain data.
        arrays: read from disk, and checked, at first use.
        provenance: how the record came about; takes no part in equality of results.
    """

    key: str
    name: str
    values: dict[str, Any]
    arrays: Mapping[str, np.ndarray]
    provenance: dict[str, Any]


def cell_key(cell: Cell, *, fresh: bool = False) -> str:
    """Name a cell by its content: equal keys mean equal results.

    Name, labels and cost do not count.
    """
    return digest_json(cell_identity(cell, fresh=fresh))


def cell_identity(cell: Cell, *, fresh: bool = False) -> dict[str, Any]:
    """Collect all that a cell's result depends on.

    Args:
        fresh: look at the source files again instead of at what this process saw first.

    Returns:
        plain data: arguments, data, needs (keys), sources (hash), versions and work.

    Raises:
        CellError: where arguments or data are not plain, or a source is not found.
    """
    try:
        arguments, data = plain(dict(cell.arguments), "arguments"), plain(dict(cell.data), "data")
        needs = {name: cell_key(need, fresh=fresh) for name, need in cell.needs.items()}
        return identity(cell.work, arguments, cell.uses, data, needs, fresh=fresh)
    except ValueError as error:
        raise CellError(f"cell {cell.name}: {error}") from error


def identity(
    work: str, arguments: Any, uses: tuple[str, ...], data: Any, needs: dict[str, str], *, fresh: bool = False
) -> dict[str, Any]:
    """Collect the parts of a content key.

    Args:
        data: hashes of data sets by name.
        needs: keys of needed cells by name.
        fresh: look at the source files again instead of at what this process saw first.

    Returns:
        plain data, whose `digest_json` is the key.
    """
    sources = source_digest((work.partition(":")[0], *uses), fresh=fresh)
    return {
        "arguments": arguments,
        "data": data,
        "needs": needs,
        "sources": sources,
        "versions": dict(_versions()),
        "work": work,
    }


@cache
def _versions() -> tuple[tuple[str, str], ...]:
    libraries = [(name, importlib.metadata.version(name)) for name in ("numpy", "torch")]
    return (("python", ".".join(platform.python_version_tuple()[:2])), *libraries)
