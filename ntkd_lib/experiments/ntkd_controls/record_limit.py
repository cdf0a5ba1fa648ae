"""Compute the kernel of infinitely many filters for all colour images, and record regression on it.

Run as ``python -m ntkd_lib.experiments.ntkd_controls.record_limit``. It takes about an hour and a half of a
CPU core, 10 GB of disk below the build folder, and a C++ compiler. Blocks on disk are not computed again, and
so the seconds of the evidence are those of the regression alone.
"""

from __future__ import annotations

import click
import dask
from dask.diagnostics import ProgressBar

from ntkd_lib.data.registry import Located
from ntkd_lib.experiments.ntkd_classification import NOTEBOOK
from ntkd_lib.experiments.ntkd_controls.many_images import folder_of, kernels, load_problem
from ntkd_lib.experiments.recording import Recording
from ntkd_lib.lab.cells import Cell, Record
from ntkd_lib.lab.evidence import Metric
from ntkd_lib.lab.execute import run_cells
from ntkd_lib.lab.layout import cell_root
from ntkd_lib.lab.store import CellStore
from ntkd_lib.ntk.blocked_store import save_blocks
from ntkd_lib.ntk.infinite.blocked import BLOCK

DATA = "cifar-10"
MODULE = "ntkd_lib.experiments.ntkd_controls.record_limit"
RECORDING = Recording(NOTEBOOK, MODULE, DATA, (0,), file="01_infinite_width")
PROTOCOL = {
    "images": 50_000,
    "fitted": 8 * BLOCK,
    "validated": 2 * BLOCK,
    "block": BLOCK,
    "rank": 256,
    "compiled": True,
}
TRAINED = 45_000  # what the students' split leaves
METRIC = "ntkd.random.cifar10.infinite.accuracy"


def limit_cell(located: Located) -> Cell:
    """Make the cell of the regression."""
    arguments = {"data": DATA, "sha256": located.sha256, "seed": RECORDING.seeds[0], **PROTOCOL}
    return Cell(
        name=f"{DATA}/random/infinite/all",
        work="ntkd_lib.experiments.ntkd_controls.many_images:regress",
        arguments=arguments,
        data={DATA: located.sha256},
        cost=1200,
    )


def metrics(record: Record) -> dict[str, Metric]:
    """Make the metrics."""
    of = {"seeds": [RECORDING.seeds[0]], "data": [DATA], "cells": [record.key]}
    few = {
        f"ntkd.random.cifar10.infinite.images_{count}.accuracy": Metric(values=[accuracy], **of)
        for count, accuracy in record.values["few"].items()
    }
    return {METRIC: Metric(values=[record.values["accuracy"]], **of), **few}


@click.command()
@click.option("--workers", type=click.IntRange(1), default=None, help="Processes; default one a core.")
def main(workers: int | None) -> None:
    """Compute the kernels with all workers, regress, and write what is reached."""
    located, store = RECORDING.real_data(), CellStore(cell_root())
    cell = limit_cell(located)
    with dask.config.set(scheduler="processes", num_workers=workers), ProgressBar(dt=10):
        for kernel in kernels(load_problem(cell.arguments), cell.arguments):
            save_blocks(kernel, folder_of(kernel))
    record = run_cells([cell], store, workers=1)[cell.name]
    RECORDING.save(RECORDING.evidence(located, PROTOCOL, metrics(record), record.provenance["seconds"]))


if __name__ == "__main__":
    main()
