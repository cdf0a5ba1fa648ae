"""Recorded protocols: named runs under `results/`, registered in `claims.yml` before they begin."""

import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ntkd_lib.lab.cells import Cell, Record
from ntkd_lib.lab.claims import ClaimBook, RegisteredProtocol
from ntkd_lib.lab.evidence import Metric, Point, load_evidence
from ntkd_lib.lab.layout import results_root

Number = Callable[..., float | list[Point]]


class ProtocolError(ValueError):
    """A protocol that is not registered, or a recording that may not go on; the text is one line."""


class NoNumberError(ValueError):
    """A finished arm that defines no number, such as a target that is not reached; the text says why."""


def value_of(name: str) -> Number:
    """Read one value of a record."""
    return lambda record: record.values[name]


def all_converged(*records: Record) -> bool | None:
    """Tell whether all that was trained has reached a plateau; None if nothing was trained."""
    plateaus = [record.values["converged"] for record in records if "converged" in record.values]
    return all(plateaus) if plateaus else None


@dataclass(frozen=True)
class Arm:
    """What one seed contributes to one metric: number or series and plateau, read from its cells' records."""

    cells: tuple[Cell, ...]
    number: Number = field(default_factory=lambda: value_of("accuracy"))  # may raise `NoNumberError`
    converged: Callable[..., bool | None] = all_converged
    rank: int = 0  # arms of a higher one run after all of a lower one


@dataclass(frozen=True)
class Protocol:
    """A recorded run, and the arms that it compares within each seed."""

    name: str
    notebook: str  # full name of the one whose claims it serves
    data: str  # name of the data set, of which recording needs the real one; empty if packages ship all data
    # by metric, from the registered parameters, a seed and the data set's SHA-256
    arms: Callable[[Mapping[str, Any], int, str], Mapping[str, Arm]]
    file: str = ""  # of its evidence, without ending; notebook number and name by default

    @property
    def path(self) -> Path:
        """Where its evidence lies."""
        return results_root() / f"{self.file or f'{self.notebook[:2]}_{self.name}'}.json"

    def registered(self, book: ClaimBook) -> RegisteredProtocol:
        """Return the protocol's entry in the contract."""
        entry = book.protocols.get(self.name)
        if entry is None:
            raise ProtocolError(f"protocol {self.name} is not registered under protocols in claims.yml")
        if entry.notebook != self.notebook:
            raise ProtocolError(f"protocol {self.name} is registered for notebook {entry.notebook}")
        return entry


def protocols_of(chapter: str) -> dict[str, Protocol]:
    """Load the protocols that a chapter package declares in its module `protocols` or `plan`."""
    return {each.name: each for each in declared(chapter, ("protocols", "plan"), "PROTOCOLS")}


def declared(chapter: str, modules: Iterable[str], name: str) -> Iterator[Any]:
    """List what the modules of a chapter package declare under a name; a module may be missing."""
    for module in (f"{chapter}.{each}" for each in modules):
        try:
            yield from getattr(importlib.import_module(module), name, ())
        except ModuleNotFoundError as error:
            if error.name != module:
                raise


def check_fixed(parameters: Mapping[str, Any], fixed: Mapping[str, Any]) -> None:
    """Refuse registered parameters that differ from what the code of a protocol holds fixed."""
    for name, value in fixed.items():
        if parameters[name] != value:
            raise ValueError(f"{name} = {parameters[name]}; allowed: {value}")


def recorded_metrics(file: str) -> dict[str, Metric]:
    """Read the metrics of recorded evidence by its file's name without the ending; none if it is missing."""
    path = results_root() / f"{file}.json"
    return load_evidence(path, recorded=True).metrics if path.exists() else {}
