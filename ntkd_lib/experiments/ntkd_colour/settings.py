"""Settings of the students on colour images: from the recorded search, or the middle of its spaces."""

from typing import Any

from ntkd_lib.experiments.ntkd_colour.methods import METHODS
from ntkd_lib.experiments.spaces import place
from ntkd_lib.records.searches import best_of, read_search, search_file

SEARCH = "01_ntkd_classification_cifar"


def trials() -> list[dict[str, Any]]:
    """Read the trials of the recorded search.

    Returns:
        ``method``, ``settings`` and ``validation`` (percent, a value for each tuning seed) of each trial;
        nothing where no search is recorded.
    """
    return read_search(SEARCH)["trials"] if search_file(SEARCH).exists() else []


def chosen_settings(method: str) -> dict[str, float]:
    """Give the settings of the trial with the highest mean validation accuracy.

    Without a recorded search every method gets the middle of its space, so that none is favoured.

    Args:
        method: Name of a method; one without a space of its own stands for the method that it follows.

    Returns:
        Settings.
    """
    owner = METHODS[method].settings_of
    if any(trial["method"] == owner for trial in trials()):
        return best_of(trials(), owner)["settings"]
    return {name: place(bounds, 0.5) for name, bounds in METHODS[owner].space.items()}
