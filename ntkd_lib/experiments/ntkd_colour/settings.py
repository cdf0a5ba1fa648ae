"""Settings of the students on colour images, from the recorded search."""

from typing import Any

from ntkd_lib.experiments.ntkd_colour.methods import METHODS
from ntkd_lib.lab.searches import best_of, read_search

SEARCH = "01_ntkd_classification_cifar"


def trials() -> list[dict[str, Any]]:
    """Read the trials of the recorded search."""
    return read_search(SEARCH)["trials"]


def chosen_settings(method: str) -> dict[str, float]:
    """Give the settings of the trial with the highest mean validation accuracy."""
    return best_of(trials(), METHODS[method].settings_of)["settings"]
