"""Record a protocol in pieces: each finished number is added to its evidence at once, and never lost."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any

from ntkd_lib.lab.cells import Record, cell_key
from ntkd_lib.lab.claims import ClaimBook, RegisteredProtocol, load_claims
from ntkd_lib.lab.evidence import (
    CellOrigin,
    DataState,
    Evidence,
    Metric,
    join_seeds,
    load_evidence,
    save_evidence,
    split_by_seed,
)
from ntkd_lib.lab.execute import run_cells
from ntkd_lib.lab.manifest import renew_manifest
from ntkd_lib.lab.protocols import Arm, Protocol, ProtocolError
from ntkd_lib.lab.provenance import code_state, machine_kind, snapshot
from ntkd_lib.lab.store import CellStore

Place = tuple[str, int]  # metric and seed


@dataclass
class Recording:
    """A protocol's numbers as far as it goes, and what is left to do."""

    protocol: Protocol
    entry: RegisteredProtocol
    state: DataState | None  # of the data set that is here; None if packages ship all data
    arms: Mapping[Place, Arm]  # every one, by metric and seed
    keys: Mapping[Place, list[str]]  # of an arm's cells, by today's code
    rows: dict[Place, Metric] = field(default_factory=dict)  # what is recorded
    origins: dict[str, CellOrigin] = field(default_factory=dict)  # of recorded cells, by key
    redo: set[int] = field(default_factory=set)  # seeds whose numbers the first new one replaces

    @property
    def left(self) -> list[Place]:
        """Metrics and seeds that are to be recorded."""
        return [place for place in self.arms if place not in self.rows or place[1] in self.redo]

    @property
    def seconds_left(self) -> float:
        """Expected seconds of one thread for what is left, shared needs counted once."""
        costs: dict[str, float] = {}
        queue = [cell for place in self.left for cell in self.arms[place].cells]
        for cell in queue:  # grows by what cells need
            costs[cell.name] = float(cell.cost)
            queue.extend(need for need in cell.needs.values() if need.name not in costs)
        return sum(costs.values())

    def foreign_seeds(self) -> dict[int, str]:
        """Name the seeds that were begun elsewhere and are not complete, with what differs."""
        open_seeds = {seed for _, seed in self.left} - self.redo
        return {
            place[1]: reason
            for place in sorted(self.rows, key=lambda place: place[1])
            if place[1] in open_seeds and (reason := self._foreign(place))
        }

    def _foreign(self, place: Place) -> str:
        if self.rows[place].machines != [machine_kind()]:
            return "another machine"
        return "" if self.rows[place].cells == self.keys.get(place) else "other code or data"

    def add(self, place: Place, records: list[Record]) -> None:
        """Add the number or series of one arm and write the evidence."""
        name, seed = place
        arm, machines = self.arms[place], {record.provenance["machine"] for record in records}
        if len(machines) > 1:
            raise ProtocolError(f"{name}, seed {seed}: its cells ran on {len(machines)} kinds of machine")
        plateau, number = arm.converged(*records), arm.number(*records)
        row = Metric(
            seeds=[seed],
            **{"series": [number]} if isinstance(number, list) else {"values": [float(number)]},
            converged=None if plateau is None else [plateau],
            data=[*self._data],
            cells=[record.key for record in records],
            machines=[*machines],
        )
        if seed in self.redo:
            self.redo.remove(seed)
            self.rows = {other: row for other, row in self.rows.items() if other[1] != seed}
        self.rows[place] = row
        self.origins |= {
            record.key: CellOrigin(**{name: record.provenance.get(name) for name in CellOrigin.model_fields})
            for record in records
        }
        save_evidence(self.protocol.path, self._evidence())
        renew_manifest(self.protocol.path)

    @property
    def _data(self) -> dict[str, DataState]:
        return {self.protocol.data: self.state} if self.state else {}

    def _evidence(self) -> Evidence:
        rows: dict[str, list[Metric]] = {}
        for (name, _), row in self.rows.items():
            rows.setdefault(name, []).append(row)
        used = {key for row in self.rows.values() for key in row.cells}
        origins = {key: origin for key, origin in self.origins.items() if key in used}
        defined, entry = load_claims().metrics, self.entry
        command = ["ntkd", "record", self.protocol.notebook[:2], self.protocol.name]
        seconds = round(sum(origin.seconds for origin in origins.values()))
        return Evidence(
            notebook=self.protocol.notebook,
            protocol=self.protocol.name,
            tier=entry.tier,
            standard=True,
            changed={},
            parameters=_parameters(entry),
            metrics={name: join_seeds(each) for name, each in rows.items()},
            definitions={name: defined[name].digest for name in rows if name in defined},
            origins=origins,
            data=self._data,
            provenance=snapshot(command) | {"seconds": seconds, "seeds": entry.seeds},
        )


def open_recording(protocol: Protocol, state: DataState | None, book: ClaimBook | None = None) -> Recording:
    """Read what is recorded of a protocol, which must be as registered."""
    entry = protocol.registered(book or load_claims())
    arms = {
        (name, seed): arm
        for seed in entry.seeds
        for name, arm in protocol.arms(entry.parameters, seed, state.sha256 if state else "").items()
    }
    named = {cell.name: cell for arm in arms.values() for cell in arm.cells}  # seeds and metrics share cells
    own = {name: cell_key(cell) for name, cell in named.items()}
    keys = {place: [own[cell.name] for cell in arm.cells] for place, arm in arms.items()}
    recording = Recording(protocol, entry, state, arms, keys)
    if protocol.path.exists():
        evidence = load_evidence(protocol.path)
        if evidence.parameters != _parameters(entry):
            raise ProtocolError(f"results/{protocol.path.name} holds other parameters than are registered")
        split = {name: split_by_seed(metric) for name, metric in evidence.metrics.items()}
        recording.rows = {(name, seed): row for name, rows in split.items() for seed, row in rows.items()}
        recording.origins = dict(evidence.origins)
    return recording


def _parameters(entry: RegisteredProtocol) -> dict[str, Any]:
    return {"tier": entry.tier, **entry.parameters}


def record(
    recording: Recording,
    store: CellStore,
    *,
    seeds: Iterable[int] = (),
    redo: Iterable[int] = (),
    minutes: float = inf,
    workers: int | None = None,
) -> list[str]:
    """Run what is left for some minutes; return a line per seed that may not go on and per missing number."""
    if code_state()["dirty"] is not False:
        raise ProtocolError("recording needs a checkout that git confirms to be without uncommitted changes")
    recording.redo |= set(redo)
    foreign = recording.foreign_seeds()
    chosen = {*(set(seeds) or recording.entry.seeds), *recording.redo} - foreign.keys()
    places = [place for place in recording.left if place[1] in chosen]
    until = time.monotonic() + 60 * minutes
    words = "seed {0} was begun with {1}; run it again whole: --redo {0}"
    refused = {seed: words.format(seed, reason) for seed, reason in foreign.items()}
    if named := [line for seed, line in refused.items() if seed in seeds]:
        raise ProtocolError("; ".join(named))
    return [*refused.values(), *_run(recording, places, store, until, workers)]


def _run(
    recording: Recording, places: list[Place], store: CellStore, until: float, workers: int | None
) -> list[str]:
    pending = {place: recording.keys[place] for place in places}
    ready: set[str] = set()
    missing: list[str] = []

    def finished(key: str) -> None:
        ready.add(key)
        for place in [place for place, keys in pending.items() if ready.issuperset(keys)]:
            try:
                recording.add(place, [store.load(k) for k in pending.pop(place)])
            except (ArithmeticError, ValueError) as error:  # such as `NoNumberError`
                missing.append(f"{place[0]}, seed {place[1]}: {error}")

    arms, seeds = recording.arms, recording.entry.seeds
    order = {place: seeds.index(place[1]) + len(seeds) * arms[place].rank for place in places}
    last_first = sorted(places, key=order.__getitem__, reverse=True)
    cells = [cell for place in last_first for cell in arms[place].cells]
    groups = {cell.name: order[place] for place in last_first for cell in arms[place].cells}  # lowest holds
    run_cells(cells, store, workers=workers, groups=groups, until=until, finished=finished)
    return missing
