"""What is recorded of students of a weaker and of stronger teachers on colour images."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ntkd_lib.chapters.ntkd_classification.summary import gap_row
from ntkd_lib.chapters.ntkd_colour.methods import metric_name
from ntkd_lib.lab.evidence import Metric
from ntkd_lib.lab.protocols import recorded_metrics
from ntkd_lib.lab.statistics import interval_ends

WEAK = "small residual network"
LABELS = {"resnet18": "ResNet-18", "wide": "wide residual network"}
ROLES = ("teacher", "strong_teacher")
STUDENTS = ("ntkd", "ntkd_strong_teacher")


def recorded_teachers() -> pd.DataFrame:
    """Put each teacher beside its students."""
    recorded = _recorded()
    if not recorded:
        return pd.DataFrame()
    weak = _row(next(iter(recorded.values())), 0, WEAK)
    return pd.DataFrame([weak, *(_row(found, 1, LABELS[name]) for name, found in recorded.items())])


def recorded_strength() -> pd.DataFrame:
    """Compare the students of each stronger teacher with those of the weaker one, seed by seed."""
    rows = []
    for name, found in _recorded().items():
        students = [found[metric_name(student)] for student in STUDENTS]
        by_teacher = {
            role: pd.Series(metric.values, index=metric.seeds)
            for role, metric in zip(ROLES, students, strict=True)
        }
        rows.append(gap_row(by_teacher, ("strong_teacher", "teacher"), f"{LABELS[name]} − {WEAK}"))
    return pd.DataFrame(rows)


def _recorded() -> dict[str, Mapping[str, Metric]]:
    recorded = {name: recorded_metrics(f"01_teacher_strength_{name}") for name in LABELS}
    return {name: metrics for name, metrics in recorded.items() if metrics}


def _row(found: Mapping[str, Metric], place: int, label: str) -> dict[str, object]:
    students = found[metric_name(STUDENTS[place])]
    own = [found[f"ntkd.cifar10.{ROLES[place]}.{name}"] for name in ("accuracy", "cosine")]
    teacher, cosine = (metric.values[0] for metric in own)
    low, high = interval_ends(students.values)
    row = {"mean": np.mean(students.values), "low": low, "high": high, "seeds": len(students.seeds)}
    return {"label": label, "teacher": teacher, "cosine": cosine, **row}
