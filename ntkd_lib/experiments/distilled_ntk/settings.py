"""The ridge that the recorded search chose for regression on labels, read from its trials."""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from statistics import mean
from typing import Any

from ntkd_lib.records.layout import results_root


def search_file() -> Path:
    """Name the file of the recorded search.

    Returns:
        Its path.
    """
    return results_root() / "searches" / "06_distilled_ntk.json"


def best_ridge(trials: Sequence[Mapping[str, Any]]) -> float:
    """Give the ridge with the best validation accuracy, mean over data sets and methods.

    Args:
        trials: One entry a data set, method and ridge.

    Returns:
        The ridge; the largest of equals.
    """
    ridges = sorted({trial["ridge"] for trial in trials}, reverse=True)
    return max(ridges, key=lambda r: mean(t["validation"] for t in trials if t["ridge"] == r))


@cache
def search() -> dict[str, Any]:
    """Read the recorded search.

    Returns:
        ``trials`` (data, method, ridge, validation accuracy in percent), ``budget`` and ``provenance``.

    Raises:
        FileNotFoundError: The record is not there.
    """
    path = search_file()
    if not path.exists():
        raise FileNotFoundError(f"results/searches/{path.name} is missing; restore it from version control")
    return json.loads(path.read_text(encoding="utf-8"))


def label_ridge() -> float:
    """Give the ridge of regression on labels, the same for all methods and data sets.

    Returns:
        A share of the mean diagonal of a kernel.
    """
    return best_ridge(search()["trials"])
