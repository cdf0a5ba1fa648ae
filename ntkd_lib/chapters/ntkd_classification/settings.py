"""The settings that the recorded search chose for each method, read from its trials and never typed in."""

from typing import Any

from ntkd_lib.chapters.ntkd_classification import NOTEBOOK
from ntkd_lib.chapters.ntkd_classification.methods import FORMS, METHODS, SPEED_OF
from ntkd_lib.lab.searches import at_speed_of, best_of, mean_validation, read_search


def search() -> dict[str, Any]:
    """Read the recorded search."""
    return read_search(NOTEBOOK)


def best_trial(method: str) -> dict[str, Any]:
    """Give the trial with the highest mean validation accuracy of a method (the first of equals)."""
    owner = METHODS[method].settings_of
    return best_of(search()["trials"], owner)


def training_settings(method: str) -> dict[str, Any]:
    """Return the settings of a method's best trial, at the speed of the methods compared with it."""
    own, leader = best_trial(method)["settings"], SPEED_OF.get(METHODS[method].settings_of)
    return at_speed_of(own, best_trial(leader)["settings"]) if leader else own


def chosen_form() -> str:
    """Give the form of the kernel loss that wins on validation data: the method that stands for "NTKD"."""
    return max(FORMS, key=lambda form: mean_validation(best_trial(form)))
