"""Figures and tables of notebook 08_my_paper: accuracies, their difference, and the metrics of its claims."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from ntkd_lib.chapters._template.methods import METHODS
from ntkd_lib.chapters._template.work import regression
from ntkd_lib.chapters.run import Run
from ntkd_lib.lab import Metric, metric, summarise
from ntkd_lib.show import ACCURACY, INTERVAL, SEEDS, Column, dots

ACCURACIES = (Column("Kernel", "{label}"), ACCURACY, INTERVAL, SEEDS)


def scores(run: Run) -> pd.DataFrame:
    """List the accuracies: one row per method and seed."""
    return run.frame(regression)


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Average over seeds."""
    means = summarise(table, "accuracy", ["method"])
    return means.assign(label=means["method"].map(METHODS), paper=float("nan"))


def metrics(run: Run) -> dict[str, Metric]:
    """Collect the metrics that the claims name."""
    groups = scores(run).groupby("method")
    return {f"ours.my_paper.{name}.accuracy": metric(part, "accuracy") for name, part in groups}


def draw_accuracies(table: pd.DataFrame) -> Figure:
    """Draw test accuracy by method: a dot per seed, the mean with its interval."""
    means = summary(table)
    figure, axes = plt.subplots(figsize=(7.2, 2))
    dots.draw_scores(axes, means, [table[table["method"] == name]["accuracy"] for name in means["method"]])
    axes.set_xlabel("test accuracy (%)")
    return figure
