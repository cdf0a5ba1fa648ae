"""The ridge that the recorded search chose for regression on labels, read from its trials."""

from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Any

from ntkd_lib.experiments.distilled_ntk import NOTEBOOK
from ntkd_lib.records.searches import read_search


def best_ridge(trials: Sequence[Mapping[str, Any]]) -> float:
    """Give the ridge with the best validation accuracy, mean over data sets and methods.

    Args:
        trials: One entry a data set, method and ridge.

    Returns:
        The ridge; the largest of equals.
    """
    ridges = sorted({trial["ridge"] for trial in trials}, reverse=True)
    return max(ridges, key=lambda r: mean(t["validation"] for t in trials if t["ridge"] == r))


def search() -> dict[str, Any]:
    """Read the recorded search.

    Returns:
        ``trials`` (data, method, ridge, validation accuracy in percent), ``budget`` and ``provenance``.
    """
    return read_search(NOTEBOOK)


def label_ridge() -> float:
    """Give the ridge of regression on labels, the same for all methods and data sets.

    Returns:
        A share of the mean diagonal of a kernel.
    """
    return best_ridge(search()["trials"])
