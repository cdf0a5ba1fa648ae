"""What is recorded of students of a weaker and of a stronger teacher on colour images."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ntkd_lib.experiments.ntkd_classification.summary import gap_row
from ntkd_lib.experiments.ntkd_colour.methods import metric_name
from ntkd_lib.experiments.ntkd_colour.record_teachers import RECORDING, STUDENTS, teacher_metric
from ntkd_lib.records.verdicts import bootstrap_interval

TEACHERS = {
    "teacher": ("small residual network", STUDENTS[0].name),
    "strong_teacher": ("ResNet-18", STUDENTS[1].name),
}


def recorded_teachers() -> pd.DataFrame:
    """Put each teacher beside its students.

    Returns:
        One row a teacher, the weaker one first: label, its test accuracy and that of its students, mean over
        seeds with 95 % interval (percent), cosine between its sketched and its exact kernel, seeds; nothing
        where no run is recorded.
    """
    found = RECORDING.metrics()
    if not found:
        return pd.DataFrame()
    rows = []
    for role, (label, student) in TEACHERS.items():
        students = found[metric_name(student)]
        teacher, cosine = (found[teacher_metric(role, name)].values[0] for name in ("accuracy", "cosine"))
        low, high = bootstrap_interval(students.values)
        row = {"mean": np.mean(students.values), "low": low, "high": high, "seeds": len(students.seeds)}
        rows.append({"label": label, "teacher": teacher, "cosine": cosine, **row})
    return pd.DataFrame(rows)


def recorded_strength() -> pd.DataFrame:
    """Compare the students of the stronger teacher with those of the weaker one, seed by seed.

    Returns:
        One row, as ``gap_row`` makes it; nothing where no run is recorded.
    """
    found = RECORDING.metrics()
    if not found:
        return pd.DataFrame()
    weak, strong = (name for _, name in TEACHERS.values())
    known = {name: found[metric_name(name)] for name in (weak, strong)}
    by_teacher = {name: pd.Series(metric.values, index=metric.seeds) for name, metric in known.items()}
    return pd.DataFrame([gap_row(by_teacher, (strong, weak), "stronger − weaker teacher")])
