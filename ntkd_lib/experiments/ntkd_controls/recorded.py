"""What is recorded of the controls on digits: five seeds."""

from __future__ import annotations

import pandas as pd

from ntkd_lib.experiments.ntkd_controls.few_labels import compared, few_label_gaps
from ntkd_lib.experiments.ntkd_controls.record import RECORDING, STUDENTS, student_metric

PAIRS = (
    ("ntkd", "kd"),
    ("ntkd", "none"),
    ("kd", "none"),
    ("ntkd", "none_tuned"),
    ("ntkd", "ntkd_untrained_teacher"),
    ("ntkd", "ntkd_trace_only"),
)


def recorded_controls() -> pd.DataFrame:
    """Compare the recorded students of digits seed by seed.

    Returns:
        One row a pair, as ``compared`` makes it, those with few labels last; nothing where no run is
        recorded.
    """
    found = RECORDING.metrics()
    if not found:
        return pd.DataFrame()
    students = {name: found[student_metric(name)] for name in STUDENTS}
    rows = pd.DataFrame([compared(students, pair) for pair in PAIRS])
    return pd.concat([rows, few_label_gaps(found)], ignore_index=True)
