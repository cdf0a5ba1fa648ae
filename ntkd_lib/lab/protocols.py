"""Recorded protocols: named runs, longer than a live one may be, whose numbers are kept under `results/`."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ntkd_lib.lab.cells import Cell, Record
from ntkd_lib.lab.claims import ClaimBook, RegisteredProtocol
from ntkd_lib.lab.layout import results_root

Number = Callable[..., float]


class ProtocolError(ValueError):
    """A protocol that is not as registered, or a recording that may not go on; the text is one line."""


def value_of(name: str) -> Number:
    """Read one value of a record."""
    return lambda record: record.values[name]


@dataclass(frozen=True)
class Arm:
    """What one seed contributes to one metric: a number computed from the records of its cells, in order."""

    cells: tuple[Cell, ...]
    number: Number = field(default_factory=lambda: value_of("accuracy"))

    def converged(self, records: list[Record]) -> bool | None:
        """Tell whether all that was trained has reached a plateau; None where nothing was."""
        plateaus = [record.values["converged"] for record in records if "converged" in record.values]
        return all(plateaus) if plateaus else None


@dataclass(frozen=True)
class Protocol:
    """A recorded run: its whole parameters, its seeds, and the arms that are compared within each seed.

    Attributes:
        notebook: full name of the notebook whose claims it serves.
        data: name of the data set; recording needs the real one.
        parameters: plain data; must equal those registered in `claims.yml`.
        arms: arms by metric name, from a seed and the data set's SHA-256.
    """

    name: str
    notebook: str
    data: str
    parameters: Mapping[str, Any]
    seeds: tuple[int, ...]
    arms: Callable[[int, str], Mapping[str, Arm]]
    tier: Literal["cpu", "paper"] = "paper"

    @property
    def path(self) -> Path:
        """Where its evidence lies."""
        return results_root() / f"{self.notebook[:2]}_{self.name}.json"

    def registered(self, book: ClaimBook) -> RegisteredProtocol:
        """Return the protocol's entry in the contract, which must say the same.

        Raises:
            ProtocolError: if it is not registered, or differs.
        """
        entry = book.protocols.get(self.name)
        if entry is None:
            raise ProtocolError(f"protocol {self.name} is not registered under protocols in claims.yml")
        ours = {"notebook": self.notebook, "tier": self.tier, "seeds": list(self.seeds), **self.parameters}
        theirs = {"notebook": entry.notebook, "tier": entry.tier, "seeds": entry.seeds, **entry.parameters}
        for name in sorted({*ours, *theirs}):
            if ours.get(name) != theirs.get(name):
                raise ProtocolError(
                    f"protocol {self.name}: {name} is {ours.get(name)!r}, registered {theirs.get(name)!r}"
                )
        return entry


def protocols_of(experiment: str) -> dict[str, Protocol]:
    """Load the protocols that an experiment package declares in its module `protocols`."""
    try:
        module = importlib.import_module(f"{experiment}.protocols")
    except ModuleNotFoundError as error:
        if error.name != f"{experiment}.protocols":
            raise
        return {}
    return {protocol.name: protocol for protocol in module.PROTOCOLS}
