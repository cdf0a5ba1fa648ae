"""Students of a weaker and of stronger teachers, as recorded."""

from collections.abc import Mapping

import pandas as pd

from ntkd_lib.chapters.classification.methods import metric_name
from ntkd_lib.lab import Metric, paired, recorded_metrics, seed_rows, summarise
from ntkd_lib.show.columns import INTERVAL, SEEDS, Column

WEAK = "small residual network"
LABELS = {"resnet18": "ResNet-18", "wide": "wide residual network"}
STUDENTS = {"teacher": "ntkd", "strong_teacher": "ntkd_strong_teacher"}
COLUMNS = (
    *(Column("Teacher", "{label}"), Column("Its accuracy", "{teacher:.2f} %")),
    *(
        Column("Compressed against exact, cosine", "{cosine:.4f}"),
        Column("NTKD students", "{mean:.2f} %"),
        INTERVAL,
        SEEDS,
    ),
)


def recorded_teachers() -> pd.DataFrame:
    """List each teacher beside its students; the weaker one once."""
    tables = []
    for name, metrics in _recorded_metrics().items():
        means = summarise(_students(metrics), "accuracy", ["method"])
        columns = {"label": means["method"].map({"teacher": WEAK, "strong_teacher": LABELS[name]})}
        for column, part in (("teacher", "accuracy"), ("cosine", "cosine")):
            columns[column] = [metrics[f"ntkd.cifar10.{role}.{part}"].values[0] for role in means["method"]]
        tables.append(means.assign(**columns))
    return pd.concat(tables).drop_duplicates("label") if tables else pd.DataFrame()


def recorded_strength() -> pd.DataFrame:
    """Compare the students of each stronger teacher with those of the weaker one, seed by seed."""
    tables = []
    for name, metrics in _recorded_metrics().items():
        gap = paired(_students(metrics), "accuracy", [("strong_teacher", "teacher")])
        tables.append(gap.assign(label=f"{LABELS[name]} − {WEAK}"))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def _recorded_metrics() -> dict[str, Mapping[str, Metric]]:
    recorded = {name: recorded_metrics(f"01_teacher_strength_{name}") for name in LABELS}
    return {name: metrics for name, metrics in recorded.items() if metrics}


def _students(metrics: Mapping[str, Metric]) -> pd.DataFrame:
    names = {(role,): metric_name("cifar10", student) for role, student in STUDENTS.items()}
    return seed_rows(metrics, names, ["method", "seed", "accuracy"])
