"""Spread of accuracy over seeds and over parts of the images, and condition numbers."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ntkd_lib.chapters.koopman.page import COLOURS, DATA, LABELS, SHORT, SIZE, short_names
from ntkd_lib.chapters.koopman.studies.stability import refits
from ntkd_lib.chapters.koopman.work import least_squares
from ntkd_lib.chapters.run import Run
from ntkd_lib.show.columns import Column, show_table
from ntkd_lib.show.html import Html

CONDITION = (
    *(DATA, *SIZE, Column("One scale", "{common:,.0f}")),
    Column("Standardised scores", "{standardised:,.0f}"),
)


def deviations(run: Run, table: pd.DataFrame) -> pd.DataFrame:
    """List deviations from the mean over seeds and over parts of the training images, digits at degree 2."""
    parts = run.frame(refits)["accuracies"].iloc[0]
    digits = table[(table["data"] == "mnist") & (table["degree"] == 2)]
    digits = digits[digits["components"] == run.parameters.side_size]
    rows = []
    for method in ("kd", "ce", "naive"):
        seeds = digits[digits["method"] == method]["accuracy"]
        for what, values in (("seeds", seeds), ("90 % of the images", parts[method])):
            common = {"method": method, "label": LABELS[method], "what": what}
            rows += [{**common, "deviation": value - np.mean(values)} for value in values]
    return pd.DataFrame(rows)


def draw_stability(deviations: pd.DataFrame) -> Figure:
    """Plot how accuracy varies over seeds and over parts of the training images."""
    sources = list(dict.fromkeys(deviations["what"]))
    methods = list(dict.fromkeys(deviations["method"]))
    figure, panels = plt.subplots(1, 2, figsize=(7.2, 2.6), sharex=True, sharey=True)
    for axes, source in zip(panels, sources, strict=True):
        axes.axvline(0, color=plt.rcParams["axes.edgecolor"], linewidth=1)
        for row, method in enumerate(methods):
            part = deviations[(deviations["what"] == source) & (deviations["method"] == method)]["deviation"]
            axes.scatter(part, np.full(len(part), row), color=COLOURS[method], alpha=0.7, s=22, linewidth=0)
            spread = part.std(ddof=1) if len(part) > 1 else 0.0
            axes.plot([-spread, spread], [row + 0.25] * 2, color=COLOURS[method], linewidth=2.5)
        axes.set_title(f"over {source}")
    panels[0].set_yticks(range(len(methods)), [SHORT[method] for method in methods])
    panels[0].set_ylim(len(methods) - 0.5, -0.5)
    panels[1].set_xlabel("test accuracy minus its mean (points); bars: ± one deviation")
    return figure


def conditions(run: Run) -> pd.DataFrame:
    """List condition numbers of the lifted training data of the first seed."""
    cells = run.frame(least_squares)
    cells = cells[cells["condition"]].explode("conditions", ignore_index=True)
    numbers = pd.DataFrame(cells["conditions"].tolist())
    data = cells["data"].map(short_names(run))
    return pd.concat([cells[["degree"]].assign(data=data), numbers], axis=1)


def condition_table(table: pd.DataFrame) -> Html:
    """Show condition numbers."""
    return show_table(table, CONDITION, "Condition number of the lifted matrix, first seed")
