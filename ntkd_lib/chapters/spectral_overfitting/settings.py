"""The learning rates that the recorded search chose, read from its trials and never typed in."""

from typing import Any

from ntkd_lib.chapters.spectral_overfitting import NOTEBOOK
from ntkd_lib.lab.searches import read_search


def search() -> dict[str, Any]:
    """Read the recorded search."""
    return read_search(NOTEBOOK)


def chosen_rate(network: str) -> float:
    """Give a network's learning rate: that with the lowest mean validation RMSE at the end of training."""
    trials = [trial for trial in search()["trials"] if trial["network"] == network]
    return min(trials, key=lambda trial: sum(trial["validation"]))["rate"]
