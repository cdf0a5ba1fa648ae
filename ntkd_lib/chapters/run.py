"""A run of a notebook: validated parameters, records of its cells, and the layout of its results."""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ntkd_lib.data.catalogue import find_dataset
from ntkd_lib.data.mask_arrays import prepare_arrays
from ntkd_lib.data.mask_pairs import MaskDataset
from ntkd_lib.data.registry import DataLocation, locate
from ntkd_lib.data.settings import read_settings
from ntkd_lib.lab import Cell, CellStore, Data, Label, Record, Work, digest_json, keep_freed_memory, run_cells
from ntkd_lib.lab import layout as layouts
from ntkd_lib.lab.claims import load_claims
from ntkd_lib.lab.evidence import DataState, Evidence, Metric, save_evidence
from ntkd_lib.lab.frame import frame
from ntkd_lib.lab.parameters import Parameters, changed_from_tier, chapter_of, from_namespace
from ntkd_lib.lab.provenance import joint_origin, snapshot

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Run:
    """One run of a notebook: records by cell name, data sets by name, and all cells of its plan."""

    notebook: str
    parameters: Parameters
    records: Mapping[str, Record] = field(repr=False)
    located: Mapping[str, DataLocation]
    layout: layouts.Layout
    changed: Mapping[str, tuple[Any, Any]]  # (tier's value, value) by parameter
    cells: tuple[Cell, ...] = field(default=(), repr=False)

    def frame(self, work: Work, **labels: Label) -> pd.DataFrame:
        """List the cells of one work function with these labels: labels, values, seconds and key of each."""
        cells = [cell for cell in self.cells if labels.items() <= cell.labels.items()]
        return frame(cells, self.records, work)

    def data(self, name: str) -> Data:
        """Return a located data set of the run."""
        place = self.located[name]
        return Data(name, place.sha256, place.kind)

    def record(self, cell: Cell) -> Record:
        """Return the record of a cell, described as in the plan."""
        return self.records[cell.name]

    def select(self, work: Work, **labels: Label) -> list[Record]:
        """List the records of one work function whose cells have these labels, in the plan's order."""
        cells = (c for c in self.cells if c.work == work.path and labels.items() <= c.labels.items())
        return [self.record(cell) for cell in cells]

    @property
    def standard(self) -> bool:
        """Whether every parameter is the tier's own."""
        return not self.changed

    def holds(self, metrics: Mapping[str, Metric]) -> bool:
        """Check that every metric names cells of this run alone."""
        keys = {record.key for record in self.records.values()}
        return all(keys.issuperset(metric.cells) for metric in metrics.values())

    def publish(self, metrics: Mapping[str, Metric]) -> Evidence:
        """Write the evidence of this run: metrics, parameters, data and provenance."""
        defined = load_claims().metrics
        evidence = Evidence(
            notebook=self.notebook,
            tier=self.parameters.tier,
            standard=self.standard,
            changed={name: list(pair) for name, pair in self.changed.items()},
            parameters=self.parameters.model_dump(mode="json"),
            metrics=dict(metrics),
            definitions={name: defined[name].digest for name in metrics if name in defined},
            data={
                name: DataState(kind=place.kind, sha256=place.sha256, source=place.source)
                for name, place in self.located.items()
            },
            provenance=self._provenance(),
        )
        save_evidence(self.layout.evidence(self.notebook), evidence)
        return evidence

    def _provenance(self) -> dict[str, Any]:
        """Describe where the cells were made, and below `page` where the notebook was executed."""
        command = ["ntkd", "run", self.notebook, "--tier", self.parameters.tier]
        changes = {name: json.dumps(pair[1], ensure_ascii=False) for name, pair in self.changed.items()}
        command += [word for name, value in changes.items() for word in ("-p", f"{name}={value}")]
        origins = [record.provenance for record in self.records.values()]
        page = snapshot(command)
        return {
            **page,
            **joint_origin(origins),
            "page": page,
            "cells": len(origins),
            "seconds": round(sum(origin["seconds"] for origin in origins), 3),
            "peak_memory_mib": max((origin["peak_memory_mib"] for origin in origins), default=0.0),
            "seeds": list(getattr(self.parameters, "all_seeds", [])),
        }


def open_run(notebook: str, namespace: Mapping[str, Any]) -> Run:
    """Validate a notebook's parameters and compute all its records that the store lacks."""
    keep_freed_memory()
    chapter = chapter_of(notebook)
    model = importlib.import_module(f"{chapter}.parameters").PARAMETERS
    parameters = from_namespace(model, notebook, namespace)
    cells = planned_cells(importlib.import_module(f"{chapter}.plan").plan, parameters)
    records = run_cells(cells, CellStore(layouts.cell_root())) if cells else {}
    changed = changed_from_tier(parameters, notebook)
    located = {name: locate(name) for name in sorted({name for cell in cells for name in cell.data})}
    layout = _layout(notebook, parameters, changed)
    return Run(notebook, parameters, records, located, layout, changed, tuple(cells))


def planned_cells(plan: Callable[[Any, Mapping[str, Data]], list[Cell]], p: Parameters) -> list[Cell]:
    """List the cells of a run and all their inputs, each once and after its own inputs."""
    return with_needs(plan(p, locate_data(*p.datasets)))


def with_needs(cells: Iterable[Cell]) -> list[Cell]:
    """List cells and all their inputs, each once and after its own inputs."""
    by_name: dict[str, Cell] = {}
    for cell in cells:
        for part in (*with_needs(cell.needs.values()), cell):
            by_name.setdefault(part.name, part)
    return list(by_name.values())


def locate_data(*names: str) -> dict[str, Data]:
    """Locate the data sets of a plan; the user's own pictures are checked and decoded before any work."""
    places = {name: locate(name) for name in names}
    for name, place in places.items():
        dataset = find_dataset(name)
        if isinstance(dataset, MaskDataset) and place.kind == "real":
            prepare_arrays(dataset, Path(place.path or ""), place.sha256, read_settings().cache_root)
    return {name: Data(name, place.sha256, place.kind) for name, place in places.items()}


def _layout(notebook: str, parameters: Parameters, changed: Mapping[str, Any]) -> layouts.Layout:
    """Select a run's layout: a draft if no runner checks and seals it (Jupyter, papermill)."""
    digest = digest_json(parameters.model_dump(mode="json"))
    if os.environ.get(layouts.WORKBENCH) != str(layouts.build_root()):
        return layouts.draft_layout(notebook, digest)
    return layouts.run_layout(notebook, digest) if changed else layouts.tier_layout(parameters.tier)
