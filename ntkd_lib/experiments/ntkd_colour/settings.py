"""Settings of the students on colour images, from the recorded search."""

from typing import Any

from ntkd_lib.experiments.ntkd_colour.methods import METHODS
from ntkd_lib.records.searches import best_of, read_search

SEARCH = "01_ntkd_classification_cifar"


def trials() -> list[dict[str, Any]]:
    """Read the trials of the recorded search.

    Returns:
        ``method``, ``settings`` and ``validation`` (percent, a value for each tuning seed) of each trial.
    """
    return read_search(SEARCH)["trials"]


def chosen_settings(method: str) -> dict[str, float]:
    """Give the settings of the trial with the highest mean validation accuracy.

    Args:
        method: Name of a method; one without a space of its own stands for the method that it follows.

    Returns:
        Settings.
    """
    return best_of(trials(), METHODS[method].settings_of)["settings"]
