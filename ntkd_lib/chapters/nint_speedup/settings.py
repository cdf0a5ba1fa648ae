"""The learning rates and shares that the recorded search chose, read from its trials and never typed in."""

from typing import Any

from ntkd_lib.chapters.nint_speedup import NOTEBOOK
from ntkd_lib.lab.searches import read_search


def search() -> dict[str, Any]:
    """Read the recorded search."""
    return read_search(NOTEBOOK)


def tuned(method: str) -> dict[str, float]:
    """Give the settings of a method's best trial (the first of equals)."""
    trials = [trial for trial in search()["trials"] if trial["method"] == method]
    best = max(trials, key=lambda trial: sum(trial["quality"]))
    return {"lr": best["lr"], "share": best["share"]}
