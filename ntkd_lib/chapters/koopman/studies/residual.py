"""ResNet-18 as teacher: its student against EDMD from its last hidden layer, on digits at degree 2."""

import pandas as pd

from ntkd_lib.chapters.koopman.inputs import teacher
from ntkd_lib.chapters.koopman.methods import (
    RANKS,
    RIDGES,
    VALIDATION,
    chosen_objective,
    chosen_size,
    linear_cell,
    student_cell,
)
from ntkd_lib.chapters.koopman.parameters import KoopmanParameters
from ntkd_lib.chapters.koopman.work import LinearFit, least_squares, student
from ntkd_lib.chapters.run import Run
from ntkd_lib.lab.cells import Cell
from ntkd_lib.lab.frame import summarise
from ntkd_lib.lab.work import Data
from ntkd_lib.show.columns import INTERVAL, Column, show_table
from ntkd_lib.show.html import Html, element

NETWORK, DEGREE = "resnet18", 2
LABELS = {"teacher": "ResNet-18", "kd": "distilled, degree 2", "naive_pca": "EDMD with PCA"}
COLUMNS = (
    Column("Model", "{label}"),
    Column("Test accuracy", "{mean:.2f} %"),
    INTERVAL,
    Column("Seeds", "{seeds}"),
)


def cells(parameters: KoopmanParameters, data: Data) -> list[Cell]:
    """Describe both models for the seeds that have a ResNet-18."""
    d, linear_d = (chosen_size(parameters, data.name, DEGREE, name) for name in ("kd", "naive"))
    objective = chosen_objective(data.name, DEGREE, "kd", d)
    grid = [LinearFit("naive", linear_d, ridge, rank) for ridge in RIDGES for rank in RANKS]
    more = {"degree": DEGREE, "components": d}
    return [
        cell
        for seed in parameters.all_seeds[: parameters.resnet_seeds]
        for cell in (
            student_cell(parameters, data, "kd", seed, objective, NETWORK, **more),
            linear_cell(parameters, data, seed, DEGREE, grid, NETWORK),
        )
    ]


def compare(run: Run) -> pd.DataFrame:
    """List test accuracies of student and EDMD by seed; EDMD has its best fit on validation images."""
    parts = []
    for work, method in ((student, "kd"), (least_squares, "naive_pca")):
        part = run.frame(work)
        parts.append(part[part["network"] == NETWORK].assign(method=method))
    best = [max(fits, key=VALIDATION) for fits in parts[1]["fits"]]
    parts[1] = parts[1].assign(accuracy=[fit["accuracy"] for fit in best], converged=True)
    columns = ["data", "method", "seed", "accuracy", "converged", "cell"]
    return pd.concat([part[columns] for part in parts if len(part)] or [pd.DataFrame(columns=columns)])


def residual_table(run: Run) -> Html:
    """Show the three models, or a note that the run has none."""
    teachers = run.frame(teacher)
    teachers = teachers[teachers["network"] == NETWORK].assign(method="teacher")
    if teachers.empty:
        return element("p", "ResNet-18 as teacher: not part of this run; tier paper has it.")
    summary = summarise(pd.concat([teachers, compare(run)]), "accuracy", ["method"])
    labelled = summary.assign(label=summary["method"].map(LABELS))
    return show_table(labelled, COLUMNS, "ResNet-18 as teacher, MNIST")
