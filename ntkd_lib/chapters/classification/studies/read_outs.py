"""Fewer pixels, more layers: students of digits whose read-out is coarse, and whose optics are deep."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from ntkd_lib.chapters.classification.methods import students
from ntkd_lib.chapters.classification.parameters import ClassificationParameters
from ntkd_lib.chapters.optical_students.classification_cells import digit_student
from ntkd_lib.chapters.optical_students.classification_methods import digit_method
from ntkd_lib.chapters.run import Run
from ntkd_lib.lab import Cell, Data
from ntkd_lib.show import ACCURACY, Column, Html, element, show_table

MAPS = 14  # read-out values per side of a filter's map
BLOCKS = (2, 7, 14)  # read-out values per side that are averaged
ALL_VALUES = 8 * MAPS**2
OPTICS = {"none": "filters", "lens": "lens"}
DEPTHS = {
    "two optical layers, linear": {"layers": 2, "absorber": "none"},
    "two optical layers, absorber between": {"layers": 2, "absorber": "between"},
    "one optical layer, absorber before the sensor": {"layers": 1, "absorber": "sensor"},
}
COLUMNS = (Column("Front end", "{front}"), ACCURACY, Column("Seeds", "{count}"))


def plan(p: ClassificationParameters, data: Data) -> list[Cell]:
    """List the students with coarse read-outs, and those with deep optics if the parameters include them."""
    coarse = [
        read_out_cell(p, data, name, block, seed)
        for block in BLOCKS
        for name in OPTICS
        for seed in p.some_seeds
    ]
    deep = [depth_cell(p, data, front, seed) for front in DEPTHS for seed in p.some_seeds]
    return coarse + (deep if p.optical_depth else [])


def read_out_cell(p: ClassificationParameters, data: Data, name: str, block: int, seed: int) -> Cell:
    """Train a student on means of blocks, or on as many values of a lens."""
    side = MAPS // block
    parts = {"grid": (2 * side, 4 * side)} if name == "lens" else {"block": block}
    labels = {"question": "read-out", "values": 8 * side**2}
    return digit_student(p, data, digit_method(name), seed, labels=labels, parts=parts)


def depth_cell(p: ClassificationParameters, data: Data, front: str, seed: int) -> Cell:
    """Train a student behind two optical layers, or behind a saturable absorber."""
    labels = {"question": "depth", "front": front}
    return digit_student(p, data, digit_method("none"), seed, labels=labels, parts=DEPTHS[front])


def read_outs(run: Run) -> pd.DataFrame:
    """List accuracies by the number of values that are read out, through filters and through a lens."""
    data = run.parameters.data
    full = _full(run, *OPTICS).assign(values=ALL_VALUES)
    table = pd.concat([full, students(run, data, "read-out")])
    return table.assign(optics=table["method"].map(OPTICS), values=table["values"].astype(int))


def depths(run: Run) -> pd.DataFrame:
    """List accuracies of two optical layers and of saturable absorbers beside that of one layer."""
    deep = students(run, run.parameters.data, "depth")
    if deep.empty:
        return deep
    one = _full(run, "none").assign(front="one optical layer")
    return pd.concat([one[one["seed"].isin(run.parameters.some_seeds)], deep])


def _full(run: Run, *methods: str) -> pd.DataFrame:
    table = students(run, run.parameters.data, label_share=1)
    return table[table["method"].isin(methods)]


def draw_read_outs(table: pd.DataFrame) -> Figure:
    """Draw accuracy against the number of values that are read out, through filters and through a lens."""
    figure, axes = plt.subplots(figsize=(7.2, 3.2))
    for (name, part), marker in zip(table.groupby("optics", sort=False), "os", strict=False):
        means = part.groupby("values")["accuracy"].mean()
        axes.plot(means.index, means, marker=marker, label=name)
    axes.set(xscale="log", xlabel="values read out", ylabel="test accuracy (%)")
    axes.legend()
    return figure


def depth_table(table: pd.DataFrame) -> Html:
    """Show what optical depth and saturable absorbers do."""
    if table.empty:
        return element("p", "Not run on this tier; set the parameter optical_depth to run it.")
    means = table.groupby("front", sort=False)["accuracy"].agg(["mean", "count"]).reset_index()
    return show_table(means, COLUMNS, "Optical depth")
