"""The search: first the error strength, then the settings of each way to recover, all on validation images.

Run as ``python -m ntkd_lib.chapters.fabrication_recovery.search``; writes the recorded search.
"""

from statistics import mean
from typing import Any

import click

from ntkd_lib.chapters.fabrication_recovery import NOTEBOOK
from ntkd_lib.chapters.fabrication_recovery.cells import RecoveryMaker
from ntkd_lib.chapters.fabrication_recovery.methods import METHODS
from ntkd_lib.chapters.fabrication_recovery.parameters import RecoveryParameters
from ntkd_lib.chapters.fabrication_recovery.recover import NONE
from ntkd_lib.chapters.optical_students.classification_methods import Method, draw_settings
from ntkd_lib.chapters.trials import open_search
from ntkd_lib.lab.cells import Cell
from ntkd_lib.lab.execute import run_cells
from ntkd_lib.lab.layout import cell_root
from ntkd_lib.lab.provenance import snapshot
from ntkd_lib.lab.searches import save_search
from ntkd_lib.lab.store import CellStore

TRIALS = 4  # of the 8 points that a method's sequence gives
TUNING_SEED, TUNING_DEVICES = 1000, (0,)
PAPER_DROP, CALIBRATION_DEVICES, HALVINGS = 8.1, 6, 6


def tuned_methods() -> list[Method]:
    """List the methods that have a search of their own."""
    return [method for method in METHODS.values() if method.space is not None]


def calibrate(maker: RecoveryMaker, workers: int | None) -> dict[str, Any]:
    """Find the strength at which the tuning student drops as far as the paper's device, by halving."""
    student = maker.student("ntkd", TUNING_SEED)
    ideal = _records([student], workers)[student.name].values["validation"]
    low, high, trials = 0.0, 1.0, []
    for _ in range(HALVINGS):
        strength = round((low + high) / 2, 4)
        cells = [
            maker.device("ntkd", TUNING_SEED, number, strength, {}, test=False)
            for number in range(CALIBRATION_DEVICES)
        ]
        records = _records(cells, workers)
        drops = [ideal - records[cell.name].values["recoveries"][NONE]["validation"] for cell in cells]
        trials.append({"strength": strength, "drops": drops, "drop": mean(drops)})
        low, high = (strength, high) if mean(drops) < PAPER_DROP else (low, strength)
    best = min(trials, key=lambda trial: abs(trial["drop"] - PAPER_DROP))
    return {"strength": best["strength"], "drop": best["drop"], "ideal": ideal, "trials": trials}


def _records(cells: list[Cell], workers: int | None) -> dict[str, Any]:
    return run_cells(cells, CellStore(cell_root()), workers=workers)


def trials_at(maker: RecoveryMaker, strength: float, workers: int | None) -> list[dict[str, Any]]:
    """Try settings of every method on the tuning devices; nothing of the test set is read."""
    methods = tuned_methods()
    cells = {
        (trial, number): maker.device(
            "ntkd",
            TUNING_SEED,
            number,
            strength,
            {method.name: draw_settings(method, trial) for method in methods},
            test=False,
            tag=f"/trial={trial}",
        )
        for trial in range(TRIALS)
        for number in TUNING_DEVICES
    }
    records = _records(list(cells.values()), workers)
    return [
        {
            "method": method.name,
            "settings": draw_settings(method, trial),
            "validation": [_found(records, cells[trial, d], method.name) for d in TUNING_DEVICES],
        }
        for method in methods
        for trial in range(TRIALS)
    ]


def _found(records: dict[str, Any], cell: Cell, name: str) -> float:
    return records[cell.name].values["recoveries"][name]["validation"]


@click.command()
@click.option("--workers", type=click.IntRange(1), default=None, help="Processes; default one a core.")
def main(workers: int | None) -> None:
    """Run the search and record it."""
    parameters = RecoveryParameters(tier="cpu")
    located = open_search(parameters.data)[parameters.data]
    maker = RecoveryMaker(parameters, located.sha256)
    severity = calibrate(maker, workers)
    save_search(
        NOTEBOOK,
        {
            "budget": {"trials": TRIALS, "seed": TUNING_SEED, "devices": list(TUNING_DEVICES)},
            "data": {parameters.data: located.sha256},
            "parameters": parameters.model_dump(),
            "provenance": snapshot(["python", "-m", "ntkd_lib.chapters.fabrication_recovery.search"]),
            "severity": severity,
            "space": {method.name: dict(method.space) for method in tuned_methods()},
            "trials": trials_at(maker, severity["strength"], workers),
        },
    )


if __name__ == "__main__":
    main()
