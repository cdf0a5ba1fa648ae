"""What is recorded of devices for photographs of cars."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ntkd_lib.chapters.fabrication_segmentation import NOTEBOOK
from ntkd_lib.chapters.fabrication_segmentation.methods import DESIGNED, NONE, WAYS
from ntkd_lib.chapters.gaps import gap_row
from ntkd_lib.chapters.optical_students.mask_methods import NOTEBOOK as STUDENTS
from ntkd_lib.chapters.optical_students.mask_parameters import MaskStudentParameters
from ntkd_lib.lab.evidence import Metric
from ntkd_lib.lab.parameters import load_parameters
from ntkd_lib.lab.protocols import recorded_metrics
from ntkd_lib.lab.statistics import interval_ends

IDEAL = "ideal"
ROWS = (IDEAL, DESIGNED, NONE, *WAYS)
# Source: NTKD paper, Tables 3 and 4, its own student.
PAPER = {IDEAL: 91.5, NONE: 49.7, "e2e_ft": 62.7, "ntkd_ft": 81.2}
LABELS = {
    IDEAL: "filters as trained",
    DESIGNED: "designed, no errors",
    NONE: "made, no compensation",
    **{name: way.label for name, way in WAYS.items()},
}
PAIRS = (("ntkd_ft", "e2e_ft"), ("ntkd_ft", "kd_ft"), ("kd_ft", "e2e_ft"), ("e2e_ft", NONE))


def students_parameters() -> MaskStudentParameters:
    """Return what the students and their teacher are trained with: notebook 02's tier paper."""
    return load_parameters(MaskStudentParameters, STUDENTS, "paper", {})


def metric_name(row: str) -> str:
    """Name the metric of a row."""
    return f"ntkd.fab.carvana.{row}.miou"


def row_metrics() -> dict[str, Metric]:
    """Read the recorded scores."""
    metrics = recorded_metrics(NOTEBOOK)
    return {row: metrics[metric_name(row)] for row in ROWS if metric_name(row) in metrics}


def recorded_scores() -> pd.DataFrame:
    """Average the recorded scores over seeds."""
    found, rows = row_metrics(), []
    for name, metric in found.items():
        low, high = interval_ends(metric.values)
        mean, paper = float(np.mean(metric.values)), PAPER.get(name, np.nan)
        about = {
            "name": name,
            "label": LABELS[name],
            "seeds": len(metric.seeds),
            "share": _share(found, name),
        }
        rows.append({**about, "mean": mean, "low": low, "high": high, "paper": paper})
    return pd.DataFrame(rows)


def _share(found: dict[str, Metric], name: str) -> float:
    """Share of what errors took that a way wins back, percent; of the average loss."""
    if name not in WAYS or not {DESIGNED, NONE} <= found.keys():
        return np.nan
    ideal, fallen, now = (float(np.mean(found[each].values)) for each in (DESIGNED, NONE, name))
    return 100 * (now - fallen) / (ideal - fallen) if ideal > fallen else np.nan


def recorded_gaps() -> pd.DataFrame:
    """Compare the recorded ways seed by seed, each pair on one device."""
    found = {name: pd.Series(m.values, index=m.seeds) for name, m in row_metrics().items()}
    pairs = [pair for pair in PAIRS if set(pair) <= found.keys()]
    return pd.DataFrame(gap_row(found, pair, f"{LABELS[pair[0]]} − {LABELS[pair[1]]}") for pair in pairs)
