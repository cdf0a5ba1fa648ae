"""Summary of the theory of notebook 03: how the tangent kernel's change falls with the number of filters."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ntkd_lib.chapters.fabrication_recovery.summary import theory_records
from ntkd_lib.chapters.run import Run

LABELS = {
    "total": "fixed total error",
    "weight": "fixed error per weight",
    "linear": "fixed total error, no ReLU",
}


def theory(run: Run) -> pd.DataFrame:
    """List the relative change of the tangent kernel."""
    return pd.DataFrame(
        {"reading": name, "label": label, "filters": filters, "seed": seed, "change": change}
        for seed, record in theory_records(run).items()
        for name, label in LABELS.items()
        for filters, change in zip(record.values["filters"], record.values[name], strict=True)
    )


def slopes(table: pd.DataFrame) -> pd.DataFrame:
    """Fit a line to the logarithms of each seed's changes."""
    rows = []
    for label, part in table.groupby("label", sort=False):
        fitted = [_slope(p) for _, p in part.groupby("seed")]
        last = part[part["filters"] >= part["filters"].max() / 2]
        rows.append(
            {
                "label": label,
                "slope": np.mean(fitted),
                "low": min(fitted),
                "high": max(fitted),
                "last": np.mean([_slope(p) for _, p in last.groupby("seed")]),
            }
        )
    return pd.DataFrame(rows)


def _slope(part: pd.DataFrame) -> float:
    return float(np.polyfit(np.log10(part["filters"]), np.log10(part["change"]), 1)[0])
