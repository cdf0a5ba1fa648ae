"""Settings of the students on colour images: from the recorded search, or the middle of its spaces."""

import json
import math
from functools import cache
from pathlib import Path
from typing import Any

from ntkd_lib.experiments.ntkd_classification.methods import Range
from ntkd_lib.experiments.ntkd_colour.methods import METHODS
from ntkd_lib.records.layout import results_root


def search_file() -> Path:
    """Name the file of the recorded search."""
    return results_root() / "searches" / "01_ntkd_classification_cifar.json"


@cache
def trials() -> list[dict[str, Any]]:
    """Read the trials of the recorded search.

    Returns:
        ``method``, ``settings`` and ``validation`` (percent, a value for each tuning seed) of each trial;
        nothing where no search is recorded.
    """
    path = search_file()
    return json.loads(path.read_text(encoding="utf-8"))["trials"] if path.exists() else []


def chosen_settings(method: str) -> dict[str, float]:
    """Give the settings of the trial with the highest mean validation accuracy.

    Without a recorded search every method gets the middle of its space, so that none is favoured.

    Args:
        method: Name of a method; one without a space of its own stands for the method that it follows.

    Returns:
        Settings.
    """
    owner = METHODS[method].settings_of
    own = [trial for trial in trials() if trial["method"] == owner]
    return max(own, key=_mean)["settings"] if own else _middle(owner)


def _middle(method: str) -> dict[str, float]:
    return {name: _centre(bounds) for name, bounds in METHODS[method].space.items()}


def _centre(bounds: Range) -> float:
    low, high, scale = bounds
    return float(f"{math.sqrt(low * high) if scale == 'log' else (low + high) / 2:.3g}")


def _mean(trial: dict[str, Any]) -> float:
    return sum(trial["validation"]) / len(trial["validation"])
