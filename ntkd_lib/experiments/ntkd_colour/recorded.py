"""What is recorded of the main comparison on colour images: five seeds, longer than the live run."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd

from ntkd_lib.experiments.ntkd_classification.summary import gap_row
from ntkd_lib.experiments.ntkd_colour.methods import FEW_LABELS, METHODS, metric_name, of_labels
from ntkd_lib.experiments.ntkd_colour.record import RECORDING, WITH_SHARES
from ntkd_lib.experiments.ntkd_colour.summary import PAPER, SHORT
from ntkd_lib.lab.evidence import Metric
from ntkd_lib.lab.statistics import interval_ends


def recorded_metrics() -> dict[tuple[str, float], Metric]:
    """Read the recorded accuracies."""
    found = RECORDING.metrics()
    return {of: found[metric_name(*of)] for of in WITH_SHARES.values() if metric_name(*of) in found}


def recorded_scores() -> pd.DataFrame:
    """Average the recorded accuracies over seeds."""
    rows = []
    for (name, share), metric in recorded_metrics().items():
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
    known = {of: pd.Series(m.values, index=m.seeds) for of, m in recorded_metrics().items()}
    rows = []
    for share in (1, *FEW_LABELS):
        by_method = {name: known[name, share] for name in SHORT if (name, share) in known}
        for less, greater in combinations(by_method, 2):
            words = f"{SHORT[greater]} − {SHORT[less]}{of_labels(share)}"
            rows.append(gap_row(by_method, (greater, less), words))
    return pd.DataFrame(rows)
