"""Make devices of five students for photographs of cars, recover, and record the evidence for Table 4.

It takes a quarter of an hour of a CPU core, more than notebook 03 may; students and teacher are those of
notebook 02's tier paper, whose records come from the store. Run as ``python -m
ntkd_lib.experiments.fabrication_segmentation.record``. Cells that are in the store are not run again, so
that a run that was stopped goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from ntkd_lib.data.registry import Located
from ntkd_lib.experiments.fabrication_recovery.settings import severity
from ntkd_lib.experiments.fabrication_segmentation import NOTEBOOK
from ntkd_lib.experiments.fabrication_segmentation.cells import DeviceMaker
from ntkd_lib.experiments.fabrication_segmentation.methods import DESIGNED, NONE, RATES, SEEDS, TUNED, WAYS
from ntkd_lib.experiments.ntkd_segmentation import NOTEBOOK as STUDENTS
from ntkd_lib.experiments.ntkd_segmentation.parameters import SegmentationParameters
from ntkd_lib.experiments.ntkd_segmentation.settings import chosen_form
from ntkd_lib.experiments.recording import Recording, seconds_of
from ntkd_lib.lab.cells import Cell, Record, cell_key
from ntkd_lib.lab.evidence import Evidence, Metric
from ntkd_lib.lab.execute import run_cells
from ntkd_lib.lab.layout import cell_root
from ntkd_lib.lab.parameters import load_parameters
from ntkd_lib.lab.store import CellStore

MODULE = "ntkd_lib.experiments.fabrication_segmentation.record"
IDEAL = "ideal"
ROWS = (IDEAL, DESIGNED, NONE, *WAYS)


def parameters() -> SegmentationParameters:
    """Give what the students and their teacher were asked for: notebook 02's tier paper."""
    return load_parameters(SegmentationParameters, STUDENTS, "paper", {})


def recording() -> Recording:
    """Say what is recorded."""
    return Recording(NOTEBOOK, MODULE, parameters().data, SEEDS)


def metric_name(row: str) -> str:
    """Name the metric of a row."""
    return f"ntkd.fab.carvana.{row}.miou"


def trial_cell(maker: DeviceMaker) -> Cell:
    """Make the cell of the search: one device, every way to recover at each learning rate."""
    tuned = [name for name in WAYS if WAYS[name].rate_of == name]
    ways = {f"{name}/{rate:g}": rate for name in tuned for rate in RATES}
    return maker.device(*TUNED, ways, tested=False)


def report(record: Record) -> list[dict[str, Any]]:
    """List the trials."""
    return [
        {"way": way, "lr": float(rate), "validation": found["validation"]}
        for name, found in record.values["recoveries"].items()
        for way, stroke, rate in [name.partition("/")]
        if stroke
    ]


def chosen_rates(trials: list[dict[str, Any]]) -> dict[str, float]:
    """Choose the learning rate of every way to recover on validation cars."""
    found = {}
    for name, way in WAYS.items():
        own = [trial for trial in trials if trial["way"] == way.rate_of]
        found[name] = max(own, key=lambda trial: trial["validation"])["lr"]
    return found


def metrics(maker: DeviceMaker, records: Mapping[int, Record], store: CellStore) -> dict[str, Metric]:
    """Make the metrics of all rows."""
    students = {seed: store.load(cell_key(maker.student(seed))) for seed in records}
    found = {
        row: [records[seed].values["recoveries"][row] for seed in records] for row in ROWS if row != IDEAL
    }
    found[IDEAL] = [student.values for student in students.values()]
    return {
        metric_name(row): Metric(
            seeds=list(records),
            values=[each["miou"] for each in found[row]],
            converged=[each["converged"] for each in found[row]] if "converged" in found[row][0] else None,
            data=[maker.asked.data],
            cells=[record.key for record in (students if row == IDEAL else records).values()],
        )
        for row in ROWS
    }


def evidence(
    located: Located, found: Mapping[str, Metric], trials: list[dict[str, Any]], seconds: float
) -> Evidence:
    """Put the metrics into evidence of tier paper."""
    asked = parameters()
    kept = {name: getattr(asked, name) for name in ("batch", "kernel_batch", "kernel_every", "device")}
    protocol = {
        "protocol": "photographs",
        "optics": "simulated",
        "strength": severity(),
        "student": chosen_form(),
        "trials": trials,
        "rates": chosen_rates(trials),
        **kept,
    }
    return recording().evidence(located, protocol, found, seconds)


def spent(maker: DeviceMaker, cells: list[Cell], store: CellStore) -> float:
    """Add up what the cells of this protocol took, students and teacher not counted."""
    everything = [*cells, maker.kernel(), *(maker.design(seed) for seed in SEEDS)]
    return seconds_of([cell_key(cell) for cell in everything], store)


@click.command()
@click.option("--workers", type=click.IntRange(1), default=None, help="Processes; default one a core.")
def main(workers: int | None) -> None:
    """Run the protocol and record it."""
    located, store = recording().real_data(), CellStore(cell_root())
    maker = DeviceMaker(parameters(), located.sha256)
    tried = trial_cell(maker)
    trials = report(run_cells([tried], store, workers=workers)[tried.name])
    devices = {seed: maker.device(seed, 0, chosen_rates(trials)) for seed in SEEDS}
    records = run_cells(devices.values(), store, workers=workers)
    by_seed = {seed: records[cell.name] for seed, cell in devices.items()}
    seconds = spent(maker, [tried, *devices.values()], store)
    found = metrics(maker, by_seed, store)
    recording().save(evidence(located, found, trials, seconds))


if __name__ == "__main__":
    main()
