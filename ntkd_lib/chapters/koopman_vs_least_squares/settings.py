"""The settings that the recorded search chose for each method, read from its trials and never typed in."""

from collections.abc import Iterable
from typing import Any

from ntkd_lib.chapters.koopman_vs_least_squares import NOTEBOOK
from ntkd_lib.lab.searches import read_search


def search() -> dict[str, Any]:
    """Read the recorded search."""
    return read_search(NOTEBOOK)


def best_trial(
    data: str, degree: int, method: str, components: Iterable[int] | None = None
) -> dict[str, Any]:
    """Give the trial with the highest validation accuracy (the first of equals).

    A number of components that was never tried takes the trial of the nearest one that was.
    """
    trials = [t for t in search()["trials"] if t["method"] == method and t["degree"] == degree]
    known = {t["data"] for t in trials}
    trials = [t for t in trials if t["data"] == (data if data in known else "mnist")]
    if components is None:
        return max(trials, key=lambda t: t["validation"])
    asked = list(components)
    tried = {d: min({t["components"] for t in trials}, key=lambda c: (abs(c - d), c)) for d in asked}
    best = {
        d: max((t for t in trials if t["components"] == tried[d]), key=lambda t: t["validation"])
        for d in asked
    }
    chosen = max(asked, key=lambda d: (best[d]["validation"], d))
    return {**best[chosen], "components": chosen}
