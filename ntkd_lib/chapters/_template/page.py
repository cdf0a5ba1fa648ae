"""Figures and tables of notebook 08_my_paper: accuracies, their difference, and the metrics of its claims."""

import pandas as pd

from ntkd_lib.chapters._template.methods import METHODS
from ntkd_lib.chapters._template.work import regression
from ntkd_lib.chapters.run import Run
from ntkd_lib.lab import Metric, metric, summarise
from ntkd_lib.show import ACCURACY, INTERVAL, SEEDS, Column

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
