"""What is recorded of digits of which few have a label: five seeds."""

from __future__ import annotations

import pandas as pd

from ntkd_lib.experiments.ntkd_controls.few_labels import few_label_gaps
from ntkd_lib.experiments.ntkd_controls.record import RECORDING


def recorded_few_labels() -> pd.DataFrame:
    """Compare the recorded students that know few labels seed by seed.

    Returns:
        As `few_label_gaps`; nothing where no run is recorded.
    """
    found = RECORDING.metrics()
    return few_label_gaps(found) if found else pd.DataFrame()
