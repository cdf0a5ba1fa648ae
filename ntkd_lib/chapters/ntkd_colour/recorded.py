"""What is recorded of the main comparison on colour images: five seeds, longer than the live run."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd

from ntkd_lib.chapters.ntkd_classification import NOTEBOOK
from ntkd_lib.chapters.ntkd_classification.summary import gap_row
from ntkd_lib.chapters.ntkd_colour.methods import (
    FEW_LABEL_STUDENTS,
    FEW_LABELS,
    METHODS,
    metric_name,
    of_labels,
)
from ntkd_lib.chapters.ntkd_colour.summary import PAPER, SHORT
from ntkd_lib.lab.evidence import Metric
from ntkd_lib.lab.protocols import recorded_metrics
from ntkd_lib.lab.statistics import interval_ends

STUDENTS = [
    *((name, 1.0) for name in ("none", "kd", "ntkd", "ntkd_kd", "f8", "ideal_lens")),
    *((name, share) for share in FEW_LABELS for name in FEW_LABEL_STUDENTS),
]
CROSSED = {
    "unmatched": "settings that the first search gave NTKD",
    "labels_point": "settings that it gave labels alone",
}


def student_metrics() -> dict[tuple[str, float], Metric]:
    """Read the recorded accuracies by student and share of labels."""
    metrics = recorded_metrics(NOTEBOOK)
    return {of: metrics[metric_name(*of)] for of in STUDENTS if metric_name(*of) in metrics}


def recorded_scores() -> pd.DataFrame:
    """Average the recorded accuracies over seeds."""
    rows = []
    for (name, share), metric in student_metrics().items():
        low, high = interval_ends(metric.values)
        found = {
            "mean": np.mean(metric.values),
            "low": low,
            "high": high,
            "std": np.std(metric.values, ddof=1),
        }
        paper = PAPER.get(name, np.nan) if share == 1 else np.nan
        label = METHODS[name].label + of_labels(share)
        rows.append({"label": label, "seeds": len(metric.seeds), **found, "paper": paper})
    return pd.DataFrame(rows)


def recorded_gaps() -> pd.DataFrame:
    """Compare the recorded accuracies seed by seed."""
    known = {of: pd.Series(m.values, index=m.seeds) for of, m in student_metrics().items()}
    rows = []
    for share in (1, *FEW_LABELS):
        by_method = {name: known[name, share] for name in SHORT if (name, share) in known}
        for less, greater in combinations(by_method, 2):
            words = f"{SHORT[greater]} − {SHORT[less]}{of_labels(share)}"
            rows.append(gap_row(by_method, (greater, less), words))
    return pd.DataFrame(rows)


def recorded_crossings() -> pd.DataFrame:
    """Compare NTKD with labels alone at the settings of either, seed by seed."""
    metrics, rows = recorded_metrics("01_unmatched"), []
    for point, label in CROSSED.items():
        names = {name: f"ntkd.cifar10.{point}.{name}.accuracy" for name in ("none", "ntkd")}
        if metrics.keys() >= set(names.values()):
            own = {n: pd.Series(metrics[m].values, index=metrics[m].seeds) for n, m in names.items()}
            common = own["none"].index.intersection(own["ntkd"].index)
            means = {name: series[common].mean() for name, series in own.items()}
            rows.append({**gap_row(own, ("ntkd", "none"), label), **means})
    return pd.DataFrame(rows)
