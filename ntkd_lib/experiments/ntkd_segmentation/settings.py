"""The settings that the recorded search chose for each method, read from its trials and never typed in."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from ntkd_lib.experiments.ntkd_segmentation import NOTEBOOK
from ntkd_lib.experiments.ntkd_segmentation.methods import FORMS, METHODS
from ntkd_lib.records.layout import results_root


def search_file() -> Path:
    """Name the file of the recorded search."""
    return results_root() / "searches" / f"{NOTEBOOK}.json"


@cache
def search() -> dict[str, Any]:
    """Read the recorded search.

    Returns:
        ``trials`` (method, settings, validation mIoU for each tuning seed), ``space``, ``budget`` and
        ``provenance``.

    Raises:
        FileNotFoundError: The record is not there.
    """
    path = search_file()
    if not path.exists():
        raise FileNotFoundError(f"results/searches/{path.name} is missing; restore it from version control")
    return json.loads(path.read_text(encoding="utf-8"))


def best_trial(method: str) -> dict[str, Any]:
    """Give the trial with the highest mean validation mIoU of a method (the first of equals).

    Args:
        method: Name of a method; one without a search of its own stands for the method that it follows.

    Returns:
        ``method``, ``settings`` and ``validation`` (percent, one value for each tuning seed).
    """
    owner = METHODS[method].settings_of
    return max((t for t in search()["trials"] if t["method"] == owner), key=_mean)


def chosen_form() -> str:
    """Give the form of the kernel loss that wins on validation cars: the method that stands for "NTKD"."""
    return max(FORMS, key=lambda form: _mean(best_trial(form)))


def _mean(trial: dict[str, Any]) -> float:
    return sum(trial["validation"]) / len(trial["validation"])
