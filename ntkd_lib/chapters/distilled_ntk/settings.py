"""The ridge that the recorded search chose for regression on labels, read from its trials."""

from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Any

from ntkd_lib.chapters.distilled_ntk import NOTEBOOK
from ntkd_lib.lab.searches import read_search


def best_ridge(trials: Sequence[Mapping[str, Any]]) -> float:
    """Give the ridge with the best validation accuracy, mean over data sets and methods."""
    ridges = sorted({trial["ridge"] for trial in trials}, reverse=True)
    return max(ridges, key=lambda r: mean(t["validation"] for t in trials if t["ridge"] == r))


def search() -> dict[str, Any]:
    """Read the recorded search."""
    return read_search(NOTEBOOK)


def label_ridge() -> float:
    """Give the ridge of regression on labels, the same for all methods and data sets."""
    return best_ridge(search()["trials"])
