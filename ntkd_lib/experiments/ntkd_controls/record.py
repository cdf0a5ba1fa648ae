"""Train the students of digits that know few labels with five seeds, and record the evidence.

It takes ten minutes of a CPU core, more than the live run has left; everything else is as in that run. Run as
``python -m ntkd_lib.experiments.ntkd_controls.record``. Cells that are in the store are not run again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import click

from ntkd_lib.experiments.ntkd_classification import NOTEBOOK
from ntkd_lib.experiments.ntkd_classification.cells import CellMaker
from ntkd_lib.experiments.ntkd_classification.parameters import ClassificationParameters
from ntkd_lib.experiments.ntkd_controls.cells import variant_cell
from ntkd_lib.experiments.ntkd_controls.design import VARIANTS
from ntkd_lib.experiments.ntkd_controls.few_labels import few_label_metrics
from ntkd_lib.experiments.recording import Recording, keys_of, seconds_of
from ntkd_lib.records.cells import Cell, Record
from ntkd_lib.records.evidence import Metric
from ntkd_lib.records.execute import run_cells
from ntkd_lib.records.layout import cell_root
from ntkd_lib.records.parameters import load_parameters
from ntkd_lib.records.store import CellStore

SEEDS = (0, 1, 2, 3, 4)
MODULE = "ntkd_lib.experiments.ntkd_controls.record"
RECORDING = Recording(NOTEBOOK, MODULE, "mnist", SEEDS, tier="cpu", file="01_few_labels")
FEW = tuple(variant.name for variant in VARIANTS.values() if variant.family == "labels")
ASKED = ("epochs", "batch", "teacher_epochs", "kernel_batch", "kernel_every", "kernel_images", "landmarks")


def parameters() -> ClassificationParameters:
    """Give what students and teachers are asked for: the live run's."""
    return load_parameters(ClassificationParameters, NOTEBOOK, "cpu", {})


def cells(sha256: str) -> list[Cell]:
    """List the cells.

    Args:
        sha256: Digest of the digits.

    Returns:
        One cell a seed and student.
    """
    maker = CellMaker(parameters(), sha256)
    return [variant_cell(maker, VARIANTS[name], seed) for seed in SEEDS for name in FEW]


def metrics(cells: Iterable[Cell], records: Mapping[str, Record]) -> dict[str, Metric]:
    """Make the metrics of all students.

    Args:
        cells: What was run.
        records: Record by name of its cell.

    Returns:
        Metric by name.
    """
    found: dict[str, dict[int, Record]] = {}
    for cell in cells:
        student = cell.name.split("/")[-2]
        found.setdefault(student, {})[cell.arguments["seed"]] = records[cell.name]
    return few_label_metrics(RECORDING.data, found.__getitem__)


@click.command()
@click.option("--workers", type=click.IntRange(1), default=None, help="Processes; default one a core.")
def main(workers: int | None) -> None:
    """Train the students and write what they reach.

    Raises:
        ClickException: The real digits are not there.
    """
    located, store = RECORDING.real_data(), CellStore(cell_root())
    planned = cells(located.sha256)
    found = metrics(planned, run_cells(planned, store, workers=workers))
    protocol = {"protocol": "few labels"} | {name: getattr(parameters(), name) for name in ASKED}
    RECORDING.save(RECORDING.evidence(located, protocol, found, seconds_of(keys_of(found), store)))


if __name__ == "__main__":
    main()
