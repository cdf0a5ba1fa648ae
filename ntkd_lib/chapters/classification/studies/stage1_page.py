"""Figures of stage 1: estimates against trained accuracies, and the correlation of their ranks."""

from collections.abc import Iterable

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from scipy.stats import spearmanr

from ntkd_lib.chapters.classification.methods import students
from ntkd_lib.chapters.classification.studies import stage1
from ntkd_lib.chapters.run import Run
from ntkd_lib.lab import Metric, metric
from ntkd_lib.show import BLUE, Column, Html, show_table
from ntkd_lib.show.dots import name_rows

COLUMNS = (
    Column("Architecture", "{label}"),
    Column("Surface", "{height:g} × {width:g} µm"),
    Column("Signed filters", "{filters}"),
    Column("Estimate", "{estimate:.2f} %"),
    Column("Reached", "{accuracy:.2f} %"),
)


def estimates(run: Run) -> pd.DataFrame:
    """List the students' accuracy and the estimate of each architecture, one row per seed."""
    guesses = _designs(stage1.ARCHITECTURES).merge(_estimates(run), on="architecture")
    main = students(run, run.parameters.data, label_share=1)
    main = main[main["method"].isin(stage1.MAIN)]
    main = main[main["seed"].isin(run.parameters.some_seeds)].assign(architecture=main["method"])
    reached = pd.concat([main, students(run, run.parameters.data, "stage1")])
    columns = ["architecture", "seed", "accuracy", "converged", "cell"]
    return guesses.merge(reached[columns], on="architecture")


def _estimates(run: Run) -> pd.DataFrame:
    table = run.frame(stage1.estimate)[["architecture", "estimate", "cell"]]
    return table.rename(columns={"cell": "estimate_cell"})


def _designs(architectures: Iterable[stage1.Architecture]) -> pd.DataFrame:
    names = ("label", "height", "width", "filters")
    return pd.DataFrame({"architecture": a.name, **{n: getattr(a, n) for n in names}} for a in architectures)


def rank_metric(run: Run) -> Metric:
    """Correlate the ranks of estimate and accuracy over architectures, seed by seed."""
    table = estimates(run)
    own = [
        part.assign(correlation=float(spearmanr(part["estimate"], part["accuracy"]).statistic))
        for _, part in table.groupby("seed")
    ]
    origin = {"cells": [*table["cell"], *table["estimate_cell"].unique()], "data": [run.parameters.data]}
    return metric(pd.concat(own), "correlation").model_copy(update=origin)


def draw_estimates(table: pd.DataFrame) -> Figure:
    """Draw architectures in the order of their estimates, joined to the order of the accuracies reached."""
    means = table.groupby("label", sort=False)[["estimate", "accuracy"]].mean()
    places = means.rank(ascending=False, method="first") - 1
    figure, axes = plt.subplots(figsize=(7.2, 0.34 * len(means) + 0.8))
    axes.plot([0, 1], places.T, "o-", color=BLUE)
    first, last = (means[column].sort_values(ascending=False, kind="stable") for column in means)
    name_rows(axes, [f"{label}: {value:.2f} %" for label, value in first.items()])
    name_rows(axes.twinx(), [f"{value:.2f} %" for value in last])
    axes.set_xticks([0, 1], ["estimate without training", "test accuracy reached"])
    return figure


def estimate_table(run: Run) -> Html:
    """Show estimates and accuracies, best first; the surface of the parameters is not trained."""
    surface = _designs([stage1.surface_of(run.parameters)]).merge(_estimates(run), on="architecture")
    means = mean_estimates(pd.concat([estimates(run), surface]))
    return show_table(means, COLUMNS, "Stage 1: estimate and test accuracy")


def mean_estimates(table: pd.DataFrame) -> pd.DataFrame:
    """Average over seeds, best estimate first."""
    keys = ["label", "height", "width", "filters", "estimate"]
    means = table.groupby(keys, sort=False)["accuracy"].mean().reset_index()
    return means.sort_values("estimate", ascending=False, kind="stable")
