"""Differences of two students, seed by seed."""

from collections.abc import Mapping
from statistics import mean

import pandas as pd

from ntkd_lib.lab.statistics import interval_ends


def gap_row(by_method: Mapping[str, pd.Series], pair: tuple[str, str], label: str) -> dict[str, object]:
    """Compare two students seed by seed."""
    greater, less = pair
    gaps = list((by_method[greater] - by_method[less]).dropna())  # of the seeds that both have
    low, high = interval_ends(gaps)
    row = {"mean": mean(gaps), "low": low, "high": high, "smallest": min(gaps), "seeds": len(gaps)}
    return {"greater": greater, "less": less, "label": label, **row}
