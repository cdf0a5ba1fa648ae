"""Trials that protocols have recorded, and the choice that code reads off them."""

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from statistics import mean
from typing import Any

from ntkd_lib.lab.cells import Cell
from ntkd_lib.lab.claims import load_claims
from ntkd_lib.lab.evidence import Metric
from ntkd_lib.lab.protocols import Arm, ProtocolError, recorded_metrics, value_of
from ntkd_lib.lab.search import read_search


def trials(axes: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """List all combinations of settings, the last axis fastest."""
    return [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]


def trial_name(arm: str, settings: Mapping[str, Any], score: str = "validation") -> str:
    """Name the metric of a trial of an arm, whose name begins as metrics do."""
    return ".".join([arm, *(f"{name}_{value}" for name, value in settings.items()), score])


def trial_arms(
    space: str,
    tried: Mapping[str, Mapping[str, Sequence[Any]]],
    describe: Callable[[str, dict[str, Any]], Cell],
    score: str = "validation",
) -> dict[str, Arm]:
    """Read the score of the cell of every trial of every arm."""
    listed = [(arm, settings) for arm, axes in tried.items() for settings in trials(axes)]
    read = value_of(score)
    return {trial_name(f"{space}.{arm}", own, score): Arm((describe(arm, own),), read) for arm, own in listed}


def recorded_trials(protocols: Sequence[str], space: str, arm: str) -> list[tuple[dict[str, Any], Metric]]:
    """List the trials of an arm that are recorded for some tuning seed; metrics are named below `space`."""
    listed: dict[str, tuple[dict[str, Any], Metric]] = {}
    for protocol in protocols:
        entry = load_claims().protocols[protocol]
        recorded, axes = recorded_metrics(f"{entry.notebook[:2]}_{protocol}"), entry.parameters["trials"][arm]
        tried = [(trial_name(f"{space}.{arm}", settings), settings) for settings in trials(axes)]
        listed |= {name: (settings, recorded[name]) for name, settings in tried if name in recorded}
    return list(listed.values())


def choose(protocols: Sequence[str], space: str, arm: str) -> dict[str, Any]:
    """Select the trial of the highest mean validation score, the first of equals, once all are there."""
    recorded = recorded_trials(protocols, space, arm)
    for protocol in protocols:
        entry = load_claims().protocols[protocol]
        tried, seeds = trials(entry.parameters["trials"][arm]), set(entry.seeds)
        complete = [each for each, metric in recorded if each in tried and set(metric.seeds) == seeds]
        if len(complete) < len(tried):
            count = f"{len(complete)} of {len(tried)}"
            raise ProtocolError(f"{protocol}: {count} trials of the arm {arm!r} are recorded; all are needed")
    return max(recorded, key=lambda trial: mean(trial[1].values))[0]


def searched_trials(notebook: str, name: str) -> list[dict[str, Any]]:
    """Read the trials of a recorded search that the arms of a protocol wait for."""
    try:
        return read_search(name)["trials"]
    except FileNotFoundError:
        command = f"ntkd search {notebook[:2]} {name}"
        raise ProtocolError(f"{name}: its trials are not recorded yet; run: {command}") from None
