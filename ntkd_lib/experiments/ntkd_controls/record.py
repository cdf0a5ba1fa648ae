"""Train the controls on digits with five seeds, and record the evidence for the claims that rest on them.

It takes about a quarter of an hour of two CPU cores, more than the live run has left; everything else is as
in that run. Run as ``python -m ntkd_lib.experiments.ntkd_controls.record``. Cells that are in the store,
those of the live run for instance, are not run again.
"""

from __future__ import annotations

from collections.abc import Mapping

import click

from ntkd_lib.experiments.notebook import Run
from ntkd_lib.experiments.ntkd_classification import NOTEBOOK
from ntkd_lib.experiments.ntkd_classification.parameters import ClassificationParameters
from ntkd_lib.experiments.ntkd_classification.plan import plan
from ntkd_lib.experiments.ntkd_classification.settings import chosen_form
from ntkd_lib.experiments.ntkd_classification.summary import student_records
from ntkd_lib.experiments.ntkd_controls.design import QUARTER, VARIANTS
from ntkd_lib.experiments.ntkd_controls.summary import own_seed_metrics
from ntkd_lib.experiments.recording import Recording, keys_of, seconds_of
from ntkd_lib.records.cells import Cell, Record
from ntkd_lib.records.evidence import Metric, metric_of
from ntkd_lib.records.execute import run_cells
from ntkd_lib.records.layout import cell_root, tier_layout
from ntkd_lib.records.parameters import load_parameters
from ntkd_lib.records.store import CellStore

SEEDS = (0, 1, 2, 3, 4)
MODULE = "ntkd_lib.experiments.ntkd_controls.record"
RECORDING = Recording(NOTEBOOK, MODULE, "mnist", SEEDS, tier="cpu", file="01_digit_controls")
STUDENTS = ("none", "kd", "ntkd", "none_tuned", "ntkd_trace_only", "ntkd_untrained_teacher")
SIZES = (f"ntkd_hidden{QUARTER}",)
ASKED = ("epochs", "long_epochs", "batch", "teacher_epochs")
KERNEL = ("kernel_batch", "kernel_every", "kernel_images", "landmarks")


def parameters() -> ClassificationParameters:
    """Give what is asked for: the live run, with five seeds for the controls too."""
    return load_parameters(ClassificationParameters, NOTEBOOK, "cpu", {"control_seeds": list(SEEDS)})


def cells() -> list[Cell]:
    """List the cells: students of the main comparison, controls, and students that know few labels.

    Returns:
        Those of the notebook's plan.
    """
    asked = parameters()
    students = [chosen_form() if name == "ntkd" else name for name in STUDENTS]
    variants = [v for v in VARIANTS.values() if v.family == "labels" or v.name in SIZES]
    wanted = {*students, *(f"{variant.family}/{variant.name}" for variant in variants)}
    prefixes = {f"{asked.data}/{name}" for name in wanted}
    return [cell for cell in plan(asked) if cell.name.rpartition("/")[0] in prefixes]


def metrics(records: Mapping[str, Record]) -> dict[str, Metric]:
    """Make the metrics.

    Args:
        records: Record by name of its cell.

    Returns:
        Metric by name.
    """
    asked = parameters()
    run = Run(NOTEBOOK, asked, records, {}, tier_layout(asked.tier), {})
    found = {student_metric(n): metric_of(student_records(run, n), "accuracy", asked.data) for n in STUDENTS}
    return found | own_seed_metrics(run)


def student_metric(name: str) -> str:
    """Name the metric of a student.

    Args:
        name: One of ``STUDENTS``.

    Returns:
        Name.
    """
    return f"ntkd.mnist.{name}.accuracy"


@click.command()
@click.option("--workers", type=click.IntRange(1), default=None, help="Processes; default one a core.")
def main(workers: int | None) -> None:
    """Train the students and write what they reach.

    Raises:
        ClickException: The real digits are not there.
    """
    located, store = RECORDING.real_data(), CellStore(cell_root())
    found = metrics(run_cells(cells(), store, workers=workers))
    protocol = {"protocol": "controls on digits"}
    protocol |= {name: getattr(parameters(), name) for name in (*ASKED, *KERNEL)}
    RECORDING.save(RECORDING.evidence(located, protocol, found, seconds_of(keys_of(found), store)))


if __name__ == "__main__":
    main()
