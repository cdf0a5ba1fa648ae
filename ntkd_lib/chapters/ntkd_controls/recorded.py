"""What is recorded of the controls: five seeds on digits, and infinitely many filters on colour images."""

from __future__ import annotations

import pandas as pd

from ntkd_lib.chapters.ntkd_classification.summary import PAIRS, student_metric
from ntkd_lib.chapters.ntkd_controls.few_labels import compared, few_label_gaps
from ntkd_lib.chapters.ntkd_controls.summary import RANK_CORRELATION
from ntkd_lib.lab.protocols import recorded_metrics

DIGITS, LIMIT = "01_digit_controls", "01_infinite_width"
STUDENTS = (
    "none",
    "kd",
    "ntkd",
    "none_tuned",
    "ntkd_trace_only",
    "ntkd_untrained_teacher",
    "random_frozen",
)
ALL_IMAGES = "ntkd.random.cifar10.infinite.accuracy"
TRAINED = 45_000  # what the students' split leaves


def recorded_controls() -> pd.DataFrame:
    """Compare the recorded students of digits seed by seed."""
    metrics = recorded_metrics(DIGITS)
    if not metrics:
        return pd.DataFrame()
    named = {name: student_metric(name) for name in STUDENTS}
    students = {name: metrics[metric] for name, metric in named.items() if metric in metrics}
    rows = pd.DataFrame([compared(students, pair) for pair in PAIRS if students.keys() >= set(pair)])
    return pd.concat([rows, few_label_gaps(metrics)], ignore_index=True)


def recorded_ranks() -> dict[int, float]:
    """Read how well stage 1 ranks architectures in the recorded run."""
    metric = recorded_metrics(DIGITS).get(RANK_CORRELATION)
    return dict(zip(metric.seeds, metric.values, strict=True)) if metric else {}


def recorded_limit() -> dict[int, float]:
    """Read how the regression on infinitely many filters gains from images."""
    before, after = ALL_IMAGES.rsplit(".", 1)
    accuracies = {}
    for name, metric in recorded_metrics(LIMIT).items():
        count = name.removeprefix(f"{before}.images_").removesuffix(f".{after}")
        accuracies[TRAINED if name == ALL_IMAGES else int(count)] = metric.values[0]
    return dict(sorted(accuracies.items()))
