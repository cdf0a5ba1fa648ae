"""The search for the learning rate of every network, on validation samples of seeds that are not reported."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ntkd_lib.chapters.overfitting import NOTEBOOK, problems
from ntkd_lib.chapters.overfitting.parameters import OverfittingParameters
from ntkd_lib.chapters.overfitting.problems import Problem, Sizes
from ntkd_lib.chapters.overfitting.work import train
from ntkd_lib.lab import Cell, Data, Record, RunCells, Search, read_search

RATES = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1)
TUNING_SEEDS = (1000, 1001, 1002)
VALIDATION, CHECKPOINTS = 500, 16
SCORES = {"ended": "validation", "stopped": "stopped"}  # of the search, by use of a network


def six_sizes(parameters: OverfittingParameters) -> Sizes:
    """Return the sample sizes of the six networks."""
    return Sizes(parameters.rows, parameters.test_points, VALIDATION)


def six_cells(parameters: OverfittingParameters, seed: int, use: str) -> dict[str, Cell]:
    """Describe the training of the six networks, each at the rate chosen for one of `SCORES`."""
    common = {"seed": seed, "settings": [problems.GridSetting(Problem())], "sizes": six_sizes(parameters)}
    cells = {}
    for name, network in problems.NETWORKS.items():
        schedule = problems.Schedule(parameters.epochs, chosen_rate(name, use), True, CHECKPOINTS)
        cells[name] = train.cell({"part": use}, network=network, schedule=schedule, **common)
    return cells


def chosen_rate(network: str, use: str) -> float:
    """Read a network's learning rate: the one with the lowest mean validation RMSE where it is used."""
    trials = [trial for trial in read_search(NOTEBOOK)["trials"] if trial["network"] == network]
    return min(trials, key=lambda trial: sum(trial[SCORES[use]]))["rate"]


def conduct(_: Mapping[str, Data], run: RunCells) -> dict[str, Any]:
    """Run all trials and list their validation errors; no test sample is read."""
    parameters = OverfittingParameters(tier="cpu")
    sizes = replace(six_sizes(parameters), test=1, validation=4 * VALIDATION)
    common = {"settings": [problems.GridSetting(Problem())], "sizes": sizes}
    trials = [(network, rate) for network in problems.NETWORKS.values() for rate in RATES]
    schedules = {rate: problems.Schedule(parameters.epochs, rate, True, CHECKPOINTS) for rate in RATES}
    cells = [
        train.cell(seed=seed, network=network, schedule=schedules[rate], **common)
        for network, rate in trials
        for seed in TUNING_SEEDS
    ]
    records, count = run(cells), len(TUNING_SEEDS)
    groups = [records[i * count : (i + 1) * count] for i in range(len(trials))]
    return {
        "budget": {"trials": len(RATES), "seeds": list(TUNING_SEEDS)},
        "parameters": parameters.model_dump(),
        "space": {"rate": list(RATES)},
        "trials": [_row(*trial, group, sizes) for trial, group in zip(trials, groups, strict=True)],
    }


def _row(network: problems.Network, rate: float, records: list[Record], sizes: Sizes) -> dict[str, Any]:
    seeded = zip(records, TUNING_SEEDS, strict=True)
    labels = {seed: problems.draw(Problem(), sizes, seed).y_validation for seed in TUNING_SEEDS}
    errors = [  # of a record's first fit, at each checkpoint
        np.sqrt(np.square(record.arrays["validation"][0] - labels[seed]).mean(axis=1))
        for record, seed in seeded
    ]
    return {
        "network": network.name,
        "rate": rate,
        "validation": [float(error[-1]) for error in errors],
        "stopped": [float(error.min()) for error in errors],
        "seconds": [record.provenance["seconds"] for record in records],
    }


SEARCHES = (Search(NOTEBOOK, (), conduct),)
