"""Students of a weaker and of stronger teachers, as recorded."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ntkd_lib.chapters.classification.methods import metric_name
from ntkd_lib.lab import Metric, interval_ends, paired, recorded_metrics, seed_rows
from ntkd_lib.show.columns import INTERVAL, Column

WEAK = "small residual network"
LABELS = {"resnet18": "ResNet-18", "wide": "wide residual network"}
STUDENTS = {"teacher": "ntkd", "strong_teacher": "ntkd_strong_teacher"}
COLUMNS = (
    Column("Teacher", "{label}"),
    Column("Its accuracy", "{teacher:.2f} %"),
    Column("Kernel cosine", "{cosine:.4f}"),
    Column("NTKD students", "{mean:.2f} %"),
    INTERVAL,
    Column("Seeds", "{seeds}"),
)


def recorded_teachers() -> pd.DataFrame:
    """List each teacher beside its students; the weaker one once."""
    rows = []
    for name, metrics in _recorded_metrics().items():
        pairs = zip(STUDENTS, (WEAK, LABELS[name]), strict=True)
        rows += [_row(metrics, role, label) for role, label in pairs]
    return pd.DataFrame(rows).drop_duplicates("label") if rows else pd.DataFrame()


def recorded_strength() -> pd.DataFrame:
    """Compare the students of each stronger teacher with those of the weaker one, seed by seed."""
    tables = []
    for name, metrics in _recorded_metrics().items():
        names = {(role,): metric_name("cifar10", student) for role, student in STUDENTS.items()}
        students = seed_rows(metrics, names, ["method", "seed", "accuracy"])
        gap = paired(students, "accuracy", [("strong_teacher", "teacher")])
        tables.append(gap.assign(label=f"{LABELS[name]} − {WEAK}"))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def _recorded_metrics() -> dict[str, Mapping[str, Metric]]:
    recorded = {name: recorded_metrics(f"01_teacher_strength_{name}") for name in LABELS}
    return {name: metrics for name, metrics in recorded.items() if metrics}


def _row(metrics: Mapping[str, Metric], role: str, label: str) -> dict[str, object]:
    students = metrics[metric_name("cifar10", STUDENTS[role])]
    accuracy, cosine = (metrics[f"ntkd.cifar10.{role}.{part}"].values[0] for part in ("accuracy", "cosine"))
    low, high = interval_ends(students.values)
    spread = {"mean": np.mean(students.values), "low": low, "high": high, "seeds": len(students.seeds)}
    return {"label": label, "teacher": accuracy, "cosine": cosine, **spread}
