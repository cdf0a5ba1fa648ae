"""What is recorded of the main comparison on colour images: five seeds, longer than the live run."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd

from ntkd_lib.experiments.ntkd_classification.summary import gap_row
from ntkd_lib.experiments.ntkd_colour.methods import METHODS, metric_name
from ntkd_lib.experiments.ntkd_colour.record import NOTEBOOK, STUDENTS
from ntkd_lib.experiments.ntkd_colour.summary import PAPER, SHORT
from ntkd_lib.records.evidence import Metric, load_evidence
from ntkd_lib.records.layout import results_root
from ntkd_lib.records.verdicts import bootstrap_interval


def recorded_metrics() -> dict[str, Metric]:
    """Read the recorded accuracies.

    Returns:
        Metric by student; nothing where no run is recorded.
    """
    path = results_root() / f"{NOTEBOOK}.json"
    found = load_evidence(path, recorded=True).metrics if path.exists() else {}
    return {name: found[metric_name(name)] for name in STUDENTS if metric_name(name) in found}


def recorded_scores() -> pd.DataFrame:
    """Average the recorded accuracies over seeds.

    Returns:
        One row a student: label, seeds, mean, 95 % interval and standard deviation (percent), paper's value.
    """
    rows = []
    for name, metric in recorded_metrics().items():
        low, high = bootstrap_interval(metric.values)
        found = {
            "mean": np.mean(metric.values),
            "low": low,
            "high": high,
            "std": np.std(metric.values, ddof=1),
        }
        label = METHODS[name].label
        rows.append({"label": label, "seeds": len(metric.seeds), **found, "paper": PAPER.get(name, np.nan)})
    return pd.DataFrame(rows)


def recorded_gaps() -> pd.DataFrame:
    """Compare the recorded accuracies seed by seed.

    Returns:
        One row a pair of the main comparison, as ``gap_row`` makes it.
    """
    by_method = {name: pd.Series(m.values, index=m.seeds) for name, m in recorded_metrics().items()}
    pairs = combinations([name for name in SHORT if name in by_method], 2)
    return pd.DataFrame(
        gap_row(by_method, (greater, less), f"{SHORT[greater]} − {SHORT[less]}") for less, greater in pairs
    )
