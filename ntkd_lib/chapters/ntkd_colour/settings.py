"""Settings of the students on colour images, from the recorded search."""

from typing import Any

from ntkd_lib.chapters.ntkd_colour.methods import COMPARED, METHODS
from ntkd_lib.lab.searches import at_speed_of, best_of, read_search

SEARCH = "01_ntkd_classification_cifar"


def trials() -> list[dict[str, Any]]:
    """Read the trials of the recorded search."""
    return read_search(SEARCH)["trials"]


def chosen_settings(method: str) -> dict[str, float]:
    """Return the settings of a student's best trial; compared students train at the speed of labels alone."""
    owner = METHODS[method].settings_of
    own = best_of(trials(), owner)["settings"]
    return at_speed_of(own, best_of(trials(), "none")["settings"]) if owner in COMPARED else own
