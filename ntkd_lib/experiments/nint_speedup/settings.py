"""The learning rates and shares that the recorded search chose, read from its trials and never typed in."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from ntkd_lib.experiments.nint_speedup import NOTEBOOK
from ntkd_lib.records.layout import results_root


def search_file() -> Path:
    """Name the file of the recorded search."""
    return results_root() / "searches" / f"{NOTEBOOK}.json"


@cache
def search() -> dict[str, Any]:
    """Read the recorded search.

    Returns:
        ``trials`` (method, lr, share, quality on each tuning image), ``budget`` and ``provenance``.

    Raises:
        FileNotFoundError: The record is not there.
    """
    path = search_file()
    if not path.exists():
        raise FileNotFoundError(f"results/searches/{path.name} is missing; restore it from version control")
    return json.loads(path.read_text(encoding="utf-8"))


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
