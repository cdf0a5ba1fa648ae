"""What is recorded of the controls on digits: five seeds."""

from __future__ import annotations

import pandas as pd

from ntkd_lib.experiments.ntkd_classification.summary import PAIRS
from ntkd_lib.experiments.ntkd_controls.few_labels import compared, few_label_gaps
from ntkd_lib.experiments.ntkd_controls.record import RECORDING, STUDENTS, student_metric


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
    rows = pd.DataFrame([compared(students, pair) for pair in PAIRS if students.keys() >= set(pair)])
    return pd.concat([rows, few_label_gaps(found)], ignore_index=True)
