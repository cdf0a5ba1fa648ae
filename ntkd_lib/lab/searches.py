"""Recorded searches: the trials that gave each notebook's methods their settings."""

import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ntkd_lib.lab.atomic import write_json
from ntkd_lib.lab.layout import results_root
from ntkd_lib.lab.manifest import renew_manifest


def search_file(notebook: str) -> Path:
    """Name the file of a notebook's recorded search."""
    return results_root() / "searches" / f"{notebook}.json"


def save_search(notebook: str, content: Mapping[str, Any]) -> None:
    """Record a notebook's search, and its line of the manifest."""
    write_json(search_file(notebook), content)
    renew_manifest(search_file(notebook))


@cache
def read_search(notebook: str) -> dict[str, Any]:
    """Read a notebook's recorded search: `trials`, `budget`, `provenance` and what else it wrote."""
    path = search_file(notebook)
    if not path.exists():
        raise FileNotFoundError(f"results/searches/{path.name} is missing; restore it from version control")
    return json.loads(path.read_text(encoding="utf-8"))


def best_of(trials: Iterable[dict[str, Any]], method: str) -> dict[str, Any]:
    """Return the trial of a method with the highest mean validation score (the first of equals)."""
    return max((trial for trial in trials if trial["method"] == method), key=mean_validation)


def at_speed_of(settings: dict[str, Any], leader: dict[str, Any]) -> dict[str, Any]:
    """Replace learning rate and weight decay by those of the arm that a method is compared with."""
    return {**settings, "lr": leader["lr"], "weight_decay": leader["weight_decay"]}


def mean_validation(trial: dict[str, Any]) -> float:
    """Average what a trial reached on validation data."""
    return sum(trial["validation"]) / len(trial["validation"])
