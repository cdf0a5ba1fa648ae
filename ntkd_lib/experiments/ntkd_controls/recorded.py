"""What is recorded of the controls: five seeds on digits, and infinitely many filters on colour images."""

from __future__ import annotations

import pandas as pd

from ntkd_lib.experiments.ntkd_classification.summary import PAIRS, student_metric
from ntkd_lib.experiments.ntkd_controls.few_labels import compared, few_label_gaps
from ntkd_lib.experiments.ntkd_controls.record import RECORDING, STUDENTS
from ntkd_lib.experiments.ntkd_controls.record_limit import METRIC, TRAINED
from ntkd_lib.experiments.ntkd_controls.record_limit import RECORDING as LIMIT
from ntkd_lib.experiments.ntkd_controls.summary import RANK_CORRELATION


def recorded_controls() -> pd.DataFrame:
    """Compare the recorded students of digits seed by seed."""
    found = RECORDING.metrics()
    if not found:
        return pd.DataFrame()
    named = {name: student_metric(name) for name in STUDENTS}
    students = {name: found[metric] for name, metric in named.items() if metric in found}
    rows = pd.DataFrame([compared(students, pair) for pair in PAIRS if students.keys() >= set(pair)])
    return pd.concat([rows, few_label_gaps(found)], ignore_index=True)


def recorded_ranks() -> dict[int, float]:
    """Read how well stage 1 ranks architectures in the recorded run."""
    metric = RECORDING.metrics().get(RANK_CORRELATION)
    return dict(zip(metric.seeds, metric.values, strict=True)) if metric else {}


def recorded_limit() -> dict[int, float]:
    """Read how the regression on infinitely many filters gains from images."""
    before, after = METRIC.rsplit(".", 1)
    found = {}
    for name, metric in LIMIT.metrics().items():
        count = name.removeprefix(f"{before}.images_").removesuffix(f".{after}")
        found[TRAINED if name == METRIC else int(count)] = metric.values[0]
    return dict(sorted(found.items()))
