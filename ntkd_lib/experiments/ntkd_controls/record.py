"""Train students of digits with five seeds, and record the evidence for the claims that rest on them.

It takes about half an hour of two CPU cores, more than the live run has; everything else is as in that run.
Run as ``python -m ntkd_lib.experiments.ntkd_controls.record``. Cells that are in the store,
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
from ntkd_lib.experiments.ntkd_classification.summary import student_metric, student_records
from ntkd_lib.experiments.ntkd_controls.design import ARCHITECTURES, QUARTER, TRAINED_ELSEWHERE, VARIANTS
from ntkd_lib.experiments.ntkd_controls.summary import own_seed_metrics
from ntkd_lib.experiments.recording import Recording, keys_of, seconds_of
from ntkd_lib.lab.cells import Cell, Record
from ntkd_lib.lab.evidence import Metric, metric_of
from ntkd_lib.lab.execute import run_cells
from ntkd_lib.lab.layout import cell_root, tier_layout
from ntkd_lib.lab.parameters import load_parameters
from ntkd_lib.lab.store import CellStore

SEEDS = (0, 1, 2, 3, 4)
MODULE = "ntkd_lib.experiments.ntkd_controls.record"
RECORDING = Recording(NOTEBOOK, MODULE, "mnist", SEEDS, tier="cpu", file="01_digit_controls")
STUDENTS = (
    "none",
    "kd",
    "ntkd",
    "none_tuned",
    "ntkd_trace_only",
    "ntkd_untrained_teacher",
    "random_frozen",
    "f8",
)
SIZES = (f"ntkd_hidden{QUARTER}",)
ASKED = ("epochs", "long_epochs", "batch", "teacher_epochs")
KERNEL = ("kernel_batch", "kernel_every", "kernel_images", "landmarks")


def parameters() -> ClassificationParameters:
    """Give what is asked for: the live run, with five seeds for students and controls."""
    five = {"seeds": list(SEEDS), "control_seeds": list(SEEDS)}
    return load_parameters(ClassificationParameters, NOTEBOOK, "cpu", five)


def cells() -> list[Cell]:
    """List the cells: main comparison, controls, students that know few labels, and stage 1."""
    asked = parameters()
    students = [chosen_form() if name == "ntkd" else name for name in (*STUDENTS, *TRAINED_ELSEWHERE)]
    variants = [v for v in VARIANTS.values() if v.family in ("labels", "stage1") or v.name in SIZES]
    wanted = {*students, *(f"{variant.family}/{variant.name}" for variant in variants)}
    names = {f"{asked.data}/{name}/seed={seed}" for name in wanted for seed in SEEDS}
    names |= {f"{asked.data}/estimate/{a.name}" for a in ARCHITECTURES}
    return [cell for cell in plan(asked) if cell.name in names]


def metrics(records: Mapping[str, Record]) -> dict[str, Metric]:
    """Make the metrics."""
    asked = parameters()
    run = Run(NOTEBOOK, asked, records, {}, tier_layout(asked.tier), {})
    found = {student_metric(n): metric_of(student_records(run, n), "accuracy", asked.data) for n in STUDENTS}
    return found | own_seed_metrics(run)


@click.command()
@click.option("--workers", type=click.IntRange(1), default=None, help="Processes; default one a core.")
def main(workers: int | None) -> None:
    """Train the students and write what they reach."""
    located, store = RECORDING.real_data(), CellStore(cell_root())
    found = metrics(run_cells(cells(), store, workers=workers))
    protocol = {"protocol": "five seeds on digits"}
    protocol |= {name: getattr(parameters(), name) for name in (*ASKED, *KERNEL)}
    RECORDING.save(RECORDING.evidence(located, protocol, found, seconds_of(keys_of(found), store)))


if __name__ == "__main__":
    main()
