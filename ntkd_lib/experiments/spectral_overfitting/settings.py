"""The learning rates that the recorded search chose, read from its trials and never typed in."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from ntkd_lib.records.layout import results_root


def search_file() -> Path:
    """Name the file of the recorded search."""
    return results_root() / "searches" / "05_spectral_overfitting.json"


@cache
def search() -> dict[str, Any]:
    """Read the recorded search.

    Returns:
        ``trials`` (network, rate, validation RMSE for each tuning seed), ``space``, ``budget`` and
        ``provenance``.

    Raises:
        FileNotFoundError: The record is not there.
    """
    path = search_file()
    if not path.exists():
        raise FileNotFoundError(f"results/searches/{path.name} is missing; restore it from version control")
    return json.loads(path.read_text(encoding="utf-8"))


def chosen_rate(network: str) -> float:
    """Give a network's learning rate: that with the lowest mean validation RMSE at the end of training.

    Args:
        network: Name of one of the six shapes.

    Returns:
        The rate.
    """
    trials = [trial for trial in search()["trials"] if trial["network"] == network]
    return min(trials, key=lambda trial: sum(trial["validation"]))["rate"]
