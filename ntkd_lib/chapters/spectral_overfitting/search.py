"""The search that gives every network its learning rate, on validation samples of seeds of its own.

Run as ``python -m ntkd_lib.chapters.spectral_overfitting.search``; writes the recorded search.
"""

from collections.abc import Mapping
from typing import Any

import click
import numpy as np

from ntkd_lib.chapters.spectral_overfitting import NOTEBOOK
from ntkd_lib.chapters.spectral_overfitting.fits import job_sample
from ntkd_lib.chapters.spectral_overfitting.networks import NETWORKS
from ntkd_lib.chapters.spectral_overfitting.parameters import SpectralParameters
from ntkd_lib.chapters.spectral_overfitting.plan import search_cell
from ntkd_lib.chapters.trials import open_search
from ntkd_lib.lab.cells import Cell, Record
from ntkd_lib.lab.execute import run_cells
from ntkd_lib.lab.layout import cell_root
from ntkd_lib.lab.provenance import snapshot
from ntkd_lib.lab.searches import save_search
from ntkd_lib.lab.store import CellStore

RATES = (1e-3, 3e-3, 1e-2, 3e-2)
TUNING_SEEDS = (1000, 1001, 1002)


def search_cells(parameters: SpectralParameters) -> dict[tuple[str, float], list[Cell]]:
    """Make the cells of all trials."""
    return {
        (name, rate): [search_cell(parameters, name, rate, seed) for seed in TUNING_SEEDS]
        for name in NETWORKS
        for rate in RATES
    }


def report(
    cells: Mapping[tuple[str, float], list[Cell]], records: Mapping[str, Record]
) -> list[dict[str, Any]]:
    """List the trials with their validation errors; no test sample is read."""
    rows = []
    for (name, rate), trials in cells.items():
        errors = [_errors(cell, records[cell.name]) for cell in trials]
        row = {"network": name, "rate": rate}
        row["validation"] = [float(error[-1]) for error in errors]
        row["stopped"] = [float(error.min()) for error in errors]
        row["seconds"] = [records[cell.name].provenance["seconds"] for cell in trials]
        rows.append(row)
    return rows


def _errors(cell: Cell, record: Record) -> np.ndarray:
    """Validation RMSE at each checkpoint."""
    sample = job_sample(cell.arguments, cell.arguments["jobs"][0])
    return np.sqrt(np.square(record.arrays["validation"][0] - sample.y_validation).mean(axis=1))


@click.command()
@click.option("--workers", type=click.IntRange(1), default=None, help="Processes; default one a core.")
def main(workers: int | None) -> None:
    """Run the search and record it."""
    open_search()
    parameters = SpectralParameters(tier="cpu")
    cells = search_cells(parameters)
    everything = [cell for trials in cells.values() for cell in trials]
    records = run_cells(everything, CellStore(cell_root()), workers=workers)
    save_search(
        NOTEBOOK,
        {
            "budget": {"trials": len(RATES), "seeds": list(TUNING_SEEDS)},
            "parameters": parameters.model_dump(),
            "provenance": snapshot(["python", "-m", "ntkd_lib.chapters.spectral_overfitting.search"]),
            "space": {"rate": list(RATES)},
            "trials": report(cells, records),
        },
    )


if __name__ == "__main__":
    main()
