"""The search for the learning rate of every way to recover, on a device that is not reported.

Run as ``python -m ntkd_lib.chapters.fabrication_segmentation.search``; writes the recorded search.
"""

from __future__ import annotations

from typing import Any

import click

from ntkd_lib.chapters.fabrication_segmentation.cells import DeviceMaker
from ntkd_lib.chapters.fabrication_segmentation.methods import RATES, TUNED, WAYS
from ntkd_lib.chapters.fabrication_segmentation.recorded import students_parameters
from ntkd_lib.chapters.trials import open_search
from ntkd_lib.lab.cells import Cell, Record
from ntkd_lib.lab.execute import run_cells
from ntkd_lib.lab.layout import cell_root
from ntkd_lib.lab.provenance import snapshot
from ntkd_lib.lab.searches import save_search
from ntkd_lib.lab.store import CellStore
from ntkd_lib.lab.work import Data

SEARCH = "03_fabrication_segmentation"


def trial_cell(maker: DeviceMaker) -> Cell:
    """Make the cell of the search: one device, every way to recover at each learning rate."""
    tuned = [name for name in WAYS if WAYS[name].rate_of == name]
    ways = {f"{name}/{rate:g}": rate for name in tuned for rate in RATES}
    return maker.device(*TUNED, ways, tested=False)


def report(record: Record) -> list[dict[str, Any]]:
    """List the trials."""
    return [
        {"way": way, "lr": float(rate), "validation": recovery["validation"]}
        for name, recovery in record.values["recoveries"].items()
        for way, stroke, rate in [name.partition("/")]
        if stroke
    ]


def chosen_rates(trials: list[dict[str, Any]]) -> dict[str, float]:
    """Choose the learning rate of every way to recover on validation cars."""
    rates = {}
    for name, way in WAYS.items():
        own = [trial for trial in trials if trial["way"] == way.rate_of]
        rates[name] = max(own, key=lambda trial: trial["validation"])["lr"]
    return rates


@click.command()
@click.option("--workers", type=click.IntRange(1), default=None, help="Processes; default one a core.")
def main(workers: int | None) -> None:
    """Run the search and record it."""
    parameters = students_parameters()
    located = open_search(parameters.data)[parameters.data]
    cell = trial_cell(DeviceMaker(parameters, Data(parameters.data, located.sha256)))
    trials = report(run_cells([cell], CellStore(cell_root()), workers=workers)[cell.name])
    provenance = snapshot(["python", "-m", "ntkd_lib.chapters.fabrication_segmentation.search"])
    save_search(SEARCH, {"trials": trials, "rates": chosen_rates(trials), "provenance": provenance})


if __name__ == "__main__":
    main()
