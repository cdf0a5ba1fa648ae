"""The learning rates and shares that the recorded search chose, read from its trials and never typed in."""

from typing import Any

from ntkd_lib.experiments.nint_speedup import NOTEBOOK
from ntkd_lib.records.searches import read_search


def search() -> dict[str, Any]:
    """Read the recorded search.

    Returns:
        ``trials`` (method, lr, share, quality on each tuning image), ``budget`` and ``provenance``.
    """
    return read_search(NOTEBOOK)


def tuned(method: str) -> dict[str, float]:
    """Give the settings of a method's best trial (the first of equals).

    Args:
        method: Name of a method.

    Returns:
        ``lr`` and ``share``.
    """
    trials = [trial for trial in search()["trials"] if trial["method"] == method]
    best = max(trials, key=lambda trial: sum(trial["quality"]))
    return {"lr": best["lr"], "share": best["share"]}
