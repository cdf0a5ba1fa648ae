"""Digits of which few have a label: what is measured, and how methods are compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pandas as pd

from ntkd_lib.chapters.ntkd_classification.summary import gap_row, student_label
from ntkd_lib.chapters.ntkd_colour.methods import of_labels
from ntkd_lib.chapters.ntkd_controls.design import SHARES, TRANSFERS
from ntkd_lib.lab.cells import Record
from ntkd_lib.lab.evidence import Metric, metric_of

PAIRS = (("kd", "none"), ("ntkd", "none"), ("ntkd", "kd"))


def few_label_metrics(data: str, records_of: Callable[[str], Mapping[int, Record]]) -> dict[str, Metric]:
    """Make the metrics of students that know few labels."""
    return {
        few_label_metric(method, share): metric_of(records_of(f"{method}_labels{share}"), "accuracy", data)
        for share in SHARES
        for method in TRANSFERS
    }


def few_label_metric(method: str, share: float) -> str:
    """Name the metric of a student that knows few labels."""
    return f"ntkd.mnist.{method}.labels_{share}.accuracy"


def few_label_gaps(found: Mapping[str, Metric]) -> pd.DataFrame:
    """Compare students that know few labels seed by seed."""
    rows = []
    for share in SHARES:
        metrics = {name: found[few_label_metric(name, share)] for name in TRANSFERS}
        rows += [compared(metrics, pair, of_labels(share)) for pair in PAIRS]
    return pd.DataFrame(rows)


def compared(metrics: Mapping[str, Metric], pair: tuple[str, str], tail: str = "") -> dict[str, object]:
    """Compare two students seed by seed."""
    by_method = {name: pd.Series(metrics[name].values, index=metrics[name].seeds) for name in pair}
    greater, less = pair
    label = f"{student_label(greater)} − {student_label(less)}{tail}"
    means = {"of_greater": by_method[greater].mean(), "of_less": by_method[less].mean()}
    return {**gap_row(by_method, pair, label), **means}
