"""Gains by size, of the teacher, of functions and of degrees, and the cost of a prediction."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ntkd_lib.chapters.koopman import page
from ntkd_lib.chapters.koopman.methods import PIXELS
from ntkd_lib.koopman.dictionaries import Monomials
from ntkd_lib.lab.frame import paired, summarise
from ntkd_lib.show import INTERVAL, SEEDS, Column, draw_panels

MANY_SEEDS = 8
FUNCTIONS = Column("Functions", "{functions:,}")
SHARE = (
    *(page.DATA, *page.SIZE, FUNCTIONS, Column("Distilled − no teacher (points)", "{mean:+.2f}")),
    *(INTERVAL, SEEDS, Column("Adds?", lambda row: judge_share(row))),
)


def teacher_share(table: pd.DataFrame) -> pd.DataFrame:
    """Compute the gain by the teacher at every size: distillation minus cross-entropy."""
    students = table[table["method"].isin(("kd", "ce"))]
    share = paired(students, "accuracy", [("kd", "ce")], within=["data", "degree", "components"])
    return page.digits_first(_with_functions(share))


def by_size(table: pd.DataFrame) -> pd.DataFrame:
    """Average accuracy by size, with the multiplications of a prediction: projection, products, read-out."""
    lifted = table[table["method"] != PIXELS.name]
    by = ["data", "degree", "method", "label", "components"]
    sizes = _with_functions(summarise(lifted, "accuracy", by))
    cost = page.PIXELS_OF_IMAGE * sizes["components"] + sizes["products"] + 10 * sizes["functions"]
    return sizes.assign(multiplications=cost)


def _with_functions(table: pd.DataFrame) -> pd.DataFrame:
    lifts = [Monomials(d, q) for d, q in zip(table["components"], table["degree"], strict=True)]
    return table.assign(functions=[lift.count for lift in lifts], products=[lift.products for lift in lifts])


def judge_share(row: Any) -> str:
    """Judge whether the teacher adds anything at a size."""
    if row.low > 0 and (row.seeds >= MANY_SEEDS or row.smallest > 0):
        return "yes"
    return "it costs" if row.high < 0 and (row.seeds >= MANY_SEEDS or row.wins == 0) else "not shown"


def draw_teacher_share(share: pd.DataFrame) -> Figure:
    """Plot the gain by the teacher over plain cross-entropy at every size."""
    draws, words = {"distilled − no teacher (points)": _draw_share}, "functions in the dictionary"
    return draw_panels(share, "data", page.TITLES, draws, words, height=3.4, sharey=True)


def _draw_share(axes: Axes, share: pd.DataFrame) -> None:
    axes.axhline(0, color=plt.rcParams["axes.edgecolor"], linewidth=1)
    for (degree, label), colour, marker in zip(
        page.DEGREES.items(), (page.BLUE, page.ORANGE), "os", strict=True
    ):
        part = share[share["degree"] == degree]
        middle = part["mean"].to_numpy()
        reach = np.abs(np.vstack([middle - part["low"], part["high"] - middle]))
        style = {"color": colour, "marker": marker, "capsize": 3, "label": label}
        axes.errorbar(part["functions"], middle, reach, **style)
    _set_log_ticks(axes, share["functions"])


def _set_log_ticks(axes: Axes, values: pd.Series) -> None:
    """Set a logarithmic scale with ticks at some of the values: powers of ten would be too few."""
    axes.set_xscale("log")
    ticks: list[float] = []
    for value in sorted(set(values)):
        if not ticks or value > 1.9 * ticks[-1]:
            ticks.append(value)
    axes.set_xticks(ticks, [f"{tick:,.0f}" for tick in ticks])
    axes.minorticks_off()


def draw_sizes(sizes: pd.DataFrame, column: str, label: str) -> Figure:
    """Plot accuracy against a cost of the size, such as `functions`."""

    def draw(axes: Axes, part: pd.DataFrame) -> None:
        for method in ("kd", "ce", "ls_logits"):
            for (degree, words), line in zip(page.DEGREES.items(), ("-", ":"), strict=True):
                own = part[(part["degree"] == degree) & (part["method"] == method)].sort_values(column)
                style = {"marker": page.MARKERS[method], "color": page.COLOURS[method]}
                axes.plot(own[column], own["mean"], line, label=f"{page.SHORT[method]}, {words}", **style)
        _set_log_ticks(axes, part[column])

    return draw_panels(sizes, "data", page.TITLES, {"test accuracy (%)": draw}, label, height=3.6)
