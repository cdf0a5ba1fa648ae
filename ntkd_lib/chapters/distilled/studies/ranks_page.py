"""Ranks of per-class kernels against the number of points: frame and figure."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ntkd_lib.chapters.distilled.methods import NAMES
from ntkd_lib.chapters.distilled.page import COLOURS, add_legend
from ntkd_lib.chapters.distilled.studies.ranks import ranks
from ntkd_lib.chapters.run import Run

STATES = {
    "initial": ("initial network", "o", "blue"),
    "trained": ("trained network", "s", "orange"),
    "distilled": ("distilled images", "D", "green"),
}


def rank_rows(run: Run) -> pd.DataFrame:
    """List ranks of per-class kernels against points per class."""
    cells = run.frame(ranks).itertuples()
    return pd.DataFrame({"data": cell.data, "seed": cell.seed, **row} for cell in cells for row in cell.rows)


def draw_ranks(rows: pd.DataFrame) -> Figure:
    """Draw truncation ranks of per-class kernels against the number of points per class."""
    datasets = list(dict.fromkeys(rows["data"]))
    figure, panels = plt.subplots(1, len(datasets), figsize=(7.4, 3.8), sharey=True, squeeze=False)
    for axes, data in zip(panels[0], datasets, strict=True):
        part = rows[rows["data"] == data]
        sizes = np.sort(part["size"].unique())
        axes.plot(sizes, sizes, color=plt.rcParams["axes.edgecolor"], linestyle=":", label="full rank")
        for state, (label, marker, colour) in STATES.items():
            means = part[part["state"] == state].groupby("size")["truncation"].mean()
            style = {"marker": marker, "color": COLOURS[colour], "markersize": 5}
            axes.plot(means.index, means, label=label, **style)
        if 50 in sizes:
            paper = {"color": COLOURS["red"], "linewidth": 4, "alpha": 0.6, "label": "paper, 50 points"}
            axes.plot([50, 50], [31, 41], **paper)
        axes.set(xscale="log", yscale="log", title=NAMES[data])
        axes.set_xlabel("points per class")
    panels[0][0].set_ylabel("rank at 95 % of the trace")
    add_legend(figure, panels[0][0])
    return figure
