"""Students of digits with smaller back ends, with and without a teacher."""

from collections.abc import Iterable

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from ntkd_lib.chapters.classification.methods import students
from ntkd_lib.chapters.classification.parameters import ClassificationParameters
from ntkd_lib.chapters.optical_students.classification_cells import digit_student
from ntkd_lib.chapters.optical_students.classification_methods import DIGITS, digit_method
from ntkd_lib.chapters.run import Run
from ntkd_lib.lab import Cell, Data, Metric, metric
from ntkd_lib.show.dots import BLUE, ORANGE

HIDDEN, USUAL = (2, 4, 8, 16, 32, 64), 32
QUARTER = 8  # 12,650 back-end parameters, a quarter of the 50,538 of 32 hidden values
QUARTER_DROP = "ntkd.mnist.ntkd.quarter_drop"
LABELS = {"none": "labels only", "ntkd": "NTKD"}


def plan(p: ClassificationParameters, data: Data) -> list[Cell]:
    """List the students of other sizes than the usual one."""
    others = [hidden for hidden in HIDDEN if hidden != USUAL]
    return [small(p, data, name, h, seed) for h in others for name in LABELS for seed in p.some_seeds]


def small(p: ClassificationParameters, data: Data, name: str, hidden: int, seed: int) -> Cell:
    """Train a student with some number of hidden values, at the settings of the usual one."""
    labels = {"question": "size", "hidden": hidden}
    return digit_student(p, data, digit_method(name), seed, labels=labels, parts={"hidden": (hidden,)})


def sizes(run: Run) -> pd.DataFrame:
    """List accuracies by the number of hidden values, the usual one among them."""
    data, methods = run.parameters.data, {DIGITS.chosen_form(): "ntkd", "none": "none"}
    usual = students(run, data, label_share=1).assign(hidden=USUAL)
    table = pd.concat([students(run, data, "size"), usual])
    table = table.assign(method=table["method"].map(methods)).dropna(subset="method")
    table = table.assign(hidden=table["hidden"].astype(int), label=table["method"].map(LABELS))
    parameters = 1569 * table["hidden"] + 10 * table["hidden"] + 10
    return table.assign(parameters=parameters).sort_values(["method", "hidden", "seed"], kind="stable")


def quarter_drop(run: Run) -> Metric:
    """Compute the loss of NTKD at a quarter of the back end's parameters."""
    table = sizes(run)
    table = table[table["method"] == "ntkd"].set_index("seed", drop=False)
    quarter = table[table["hidden"] == QUARTER]
    full = table[table["hidden"] == USUAL].loc[quarter.index]
    both = pd.concat([full, quarter]).rename_axis("place")
    return metric(both.assign(drop=full["accuracy"] - quarter["accuracy"]), "drop")


def draw_sizes(table: pd.DataFrame) -> Figure:
    """Draw accuracy against the number of parameters of the back end, with and without a teacher."""
    figure, axes = plt.subplots(figsize=(7.2, 3.4))
    styles: Iterable[tuple[str, object]] = zip("oD", (BLUE, ORANGE), strict=True)
    for (name, part), (marker, colour) in zip(table.groupby("label", sort=False), styles, strict=False):
        means = part.groupby("parameters")["accuracy"].mean()
        axes.plot(means.index, means, marker=marker, color=colour, label=name)
        axes.scatter(part["parameters"], part["accuracy"], s=10, color=colour, alpha=0.4, linewidth=0)
    axes.set(xscale="log", xlabel="parameters of the back end", ylabel="test accuracy (%)")
    axes.legend()
    return figure
