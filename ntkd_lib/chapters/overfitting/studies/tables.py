"""Detectors of overfitting on real tables, each with a false-alarm rate that is set on the other tables.

A checkpoint overfits if its test risk is more than a tenth above the lowest of its run so far. A detector
flags scores above a threshold: the least that flags at most a share of the other checkpoints, mean over all
tables but the one that is judged. Errors are squared, for classes too.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import product
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from ntkd_lib.chapters.overfitting.problems import FOLDS, NETWORKS, GridSetting, Problem, Sizes
from ntkd_lib.chapters.overfitting.studies.grid import diagnosis
from ntkd_lib.data.tables import TABLES
from ntkd_lib.lab import Arm, Cell, CellResult, NoNumberError, Record, check_fixed
from ntkd_lib.lab.work import work

RISE = 1.1  # test risk over the lowest of its run so far above which a checkpoint overfits
# networks that a detector trains
FITS = {"spectral": 1, "z": 1, "training": 1, "holdout": 1, "gdf": 2, "holdout_refit": 2, "cv": 1 + FOLDS}
KINDS = {"power": True, "false_alarms": False}  # of flags, by whether the checkpoint overfits
SPACE = "spectral.tables"
Scores = tuple[np.ndarray, np.ndarray]  # of a table's checkpoints, and which of them overfit


def table_cells(parameters: Mapping[str, Any], table: str) -> tuple[Cell, ...]:
    """Describe the diagnoses of the grid's networks on splits of a table."""
    settings = [GridSetting(Problem(table, 0.0, TABLES[table]["sha256"]), compared=True)]
    sizes = Sizes(*parameters["tables"][table])
    labels, speed = {"table": table}, (parameters["epochs"], parameters["rate"])
    seeds = range(parameters["splits"])
    return tuple(diagnosis(labels, seed, settings, sizes, *speed) for seed in seeds)


def detector_scores(detector: str, records: Sequence[Record]) -> Scores:
    """Score each checkpoint of a table: estimates of the risk by their ratio to the lowest so far."""
    columns = {
        name: np.concatenate([record.arrays[name].reshape(len(NETWORKS), -1) for record in records])
        for name in records[0].arrays
    }
    risk = columns["holdout_risk" if detector == "holdout" else "risk"]
    plain = {"z": columns["z"], "training": -columns["train"]}
    estimates = {"gdf": columns["gdf_risk"], "cv": columns["cv"]}
    estimates["spectral"] = columns["train"] + columns["optimism"]
    scores = plain[detector] if detector in plain else _rise(estimates.get(detector, columns["holdout"]))
    return scores.ravel(), _rise(risk).ravel() > RISE


def _rise(values: np.ndarray) -> np.ndarray:
    return values / np.minimum.accumulate(values, axis=1)


def threshold(others: Sequence[Scores], level: float) -> float:
    """Find the least score above which tables have at most a share of false alarms, in the mean."""
    quiet = [np.sort(scores[~overfits]) for scores, overfits in others]
    candidates = np.unique(np.concatenate(quiet))
    alarms = np.mean([1 - np.searchsorted(each, candidates, "right") / len(each) for each in quiet], axis=0)
    return float(candidates[np.argmax(alarms <= level)])


def rates(tables: Sequence[Scores], place: int, level: float) -> dict[str, float | None]:
    """Compute the percentage of a table's checkpoints that are flagged, by kind; None if there are none."""
    limit = threshold([*tables[:place], *tables[place + 1 :]], level)
    scores, overfits = tables[place]
    parts = {kind: scores[overfits == expected] > limit for kind, expected in KINDS.items()}
    return {kind: 100 * float(part.mean()) if len(part) else None for kind, part in parts.items()}


@work(cost=lambda **_: 5.0)
def judge_tables(splits: int, levels: list[int], diagnoses: list[Record]) -> CellResult:
    """Rate every detector on each table, from the diagnoses of its splits; None if no checkpoint overfits."""
    parts = [diagnoses[i : i + splits] for i in range(0, len(diagnoses), splits)]
    numbers: dict[str, list[float | None]] = {"holdout.loss": [_loss(part) for part in parts]}
    numbers["overfitting"] = [100 * float(detector_scores("spectral", part)[1].mean()) for part in parts]
    for detector in FITS:
        tables = [detector_scores(detector, part) for part in parts]
        numbers[f"{detector}.auc"] = [_area(*scores) for scores in tables]
        for level in levels:
            judged = [rates(tables, place, level / 100) for place in range(len(tables))]
            numbers |= {f"{detector}.{kind}.l{level}": [each[kind] for each in judged] for kind in KINDS}
    return CellResult({"numbers": numbers})


def _area(scores: np.ndarray, overfits: np.ndarray) -> float | None:
    return float(roc_auc_score(overfits, scores)) if overfits.any() else None


def _loss(records: Sequence[Record]) -> float:
    """Compute by how many per cent the best test risk rises if a fifth of the samples are held out."""
    held, full = (
        np.mean([record.arrays[name].reshape(len(NETWORKS), -1).min(axis=1) for record in records])
        for name in ("holdout_risk", "risk")
    )
    return 100 * float(held / full - 1)


def table_arms(parameters: Mapping[str, Any], seed: int, _: str) -> dict[str, Arm]:
    """Read the numbers of the table whose place is the seed."""
    check_fixed(parameters, {"rise": RISE})
    levels = parameters["levels"]
    diagnoses = [cell for table in parameters["tables"] for cell in table_cells(parameters, table)]
    cell = judge_tables.cell(splits=parameters["splits"], levels=levels, diagnoses=diagnoses)
    names = [f"{detector}.{kind}.l{level}" for detector, kind, level in product(FITS, KINDS, levels)]
    names += [*(f"{detector}.auc" for detector in FITS), "overfitting", "holdout.loss"]
    return {f"{SPACE}.{name}": Arm((cell,), partial(_number, name, seed)) for name in names}


def _number(name: str, place: int, record: Record) -> float:
    number = record.values["numbers"][name][place]
    if number is None:
        raise NoNumberError("no checkpoint of this table overfits")
    return float(number)
