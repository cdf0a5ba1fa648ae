"""Distil students of colour images from a weaker and from a stronger teacher, and record both.

Run as ``python -m ntkd_lib.experiments.ntkd_colour.record_teachers``. Recipe, length, settings and seeds are
those of the recorded main comparison; only the teacher differs. It takes about three hours of a CPU core,
and an hour more with a ResNet-18. Cells that are in the store are not run again.
"""

from __future__ import annotations

from collections.abc import Mapping

import click

from ntkd_lib.experiments.ntkd_classification.parameters import ClassificationParameters
from ntkd_lib.experiments.ntkd_colour import record
from ntkd_lib.experiments.ntkd_colour.cells import ColourMaker
from ntkd_lib.experiments.ntkd_colour.methods import METHODS, STRONG_TWIN, metric_name
from ntkd_lib.experiments.ntkd_colour.plan import student_cell
from ntkd_lib.experiments.recording import Recording, keys_of, seconds_of
from ntkd_lib.lab.cells import Cell, Record
from ntkd_lib.lab.evidence import Metric, metric_of
from ntkd_lib.lab.execute import run_cells
from ntkd_lib.lab.layout import cell_root
from ntkd_lib.lab.parameters import load_parameters
from ntkd_lib.lab.store import CellStore

STRONG = ("resnet18", "wide")
MODULE = "ntkd_lib.experiments.ntkd_colour.record_teachers"
RECORDINGS = {
    strong: Recording(record.NOTEBOOK, MODULE, "cifar-10", record.SEEDS, file=f"01_teacher_strength_{strong}")
    for strong in STRONG
}
STUDENTS = (METHODS["ntkd"], STRONG_TWIN)


def parameters(strong: str) -> ClassificationParameters:
    """Give what the protocol asks for: that of the main comparison, with a second teacher."""
    changes = {"colour_epochs": record.EPOCHS, "strong_teacher": strong}
    return load_parameters(ClassificationParameters, record.NOTEBOOK, "cpu", changes)


def cells(sha256: str, strong: str) -> dict[str, Cell]:
    """List the cells."""
    asked = parameters(strong)
    maker = ColourMaker(asked, sha256)
    names = (asked.strong_teacher, asked.colour_teacher)
    of_teachers = [make(name) for name in names for make in (maker.teacher, maker.tangent)]
    students = [student_cell(maker, method, seed) for method in STUDENTS for seed in record.SEEDS]
    return {cell.name: cell for cell in (*of_teachers, *students)}


def teacher_metric(role: str, value: str) -> str:
    """Name a metric of a teacher."""
    return f"ntkd.cifar10.{role}.{value}"


def metrics(records: Mapping[str, Record], strong: str) -> dict[str, Metric]:
    """Make the metrics: both students, both teachers, and how well their kernels are sketched."""
    asked = parameters(strong)
    data = asked.colour
    found = {}
    for method in STUDENTS:
        by_seed = {seed: records[f"{data}/{method.name}/seed={seed}"] for seed in record.SEEDS}
        found[metric_name(method.name)] = metric_of(by_seed, "accuracy", data)
    for role, name in (("teacher", asked.colour_teacher), ("strong_teacher", asked.strong_teacher)):
        for work, value in (("teacher", "accuracy"), ("tangent", "cosine")):
            made = records[f"{data}/{work}/{name}"]
            measured = {"seeds": [0], "values": [made.values[value]], "data": [data], "cells": [made.key]}
            found[teacher_metric(role, value)] = Metric(**measured)
    return found


@click.command()
@click.option("--strong", type=click.Choice(STRONG), default="wide", help="Network of the stronger teacher.")
@click.option("--workers", type=click.IntRange(1), default=None, help="Processes; default one a core.")
def main(strong: str, workers: int | None) -> None:
    """Train both teachers and their students, and write what they reach."""
    recording, store = RECORDINGS[strong], CellStore(cell_root())
    located = recording.real_data()
    planned = list(cells(located.sha256, strong).values())
    found = metrics(run_cells(planned, store, workers=workers), strong)
    asked = parameters(strong)
    protocol = {name: getattr(asked, name) for name in (*record.ASKED, *record.KERNEL, "strong_teacher")}
    protocol |= {"protocol": "teacher strength", "epochs": record.EPOCHS, "device": "cpu"}
    recording.save(recording.evidence(located, protocol, found, seconds_of(keys_of(found), store)))


if __name__ == "__main__":
    main()
