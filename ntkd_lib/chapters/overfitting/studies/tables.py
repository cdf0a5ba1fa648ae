"""Detectors of overfitting on real tables, each with a false-alarm rate that is set on the other tables.

A checkpoint overfits if its test risk is more than a tenth above the lowest of its run so far. A detector
flags scores above a threshold: the least that flags at most a share of the other checkpoints, mean over all
tables but the one that is judged. Errors are squared, for classes too.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import chain, product
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from ntkd_lib.chapters.overfitting.problems import FOLDS, NETWORKS, GridSetting, Problem, Sizes
from ntkd_lib.chapters.overfitting.studies.grid import diagnosis
from ntkd_lib.data.tables import TABLES
from ntkd_lib.lab import Arm, Cell, NoNumberError, Record, check_fixed

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
    """Score each checkpoint of a table.

    An estimate of the risk is scored by its ratio to the lowest of its run so far. The holdout of one fit
    judges the network that was trained on the other samples, by the test risk of that network.
    """
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
    rates = np.mean([1 - np.searchsorted(each, candidates, "right") / len(each) for each in quiet], axis=0)
    return float(candidates[np.argmax(rates <= level)])


def flagged(detector: str, kind: str, level: int, place: int, splits: int, *records: Record) -> float:
    """Compute the percentage of a table's checkpoints of one of `KINDS` that a detector flags."""
    tables = [detector_scores(detector, records[i : i + splits]) for i in range(0, len(records), splits)]
    scores, overfits = tables.pop(place)
    chosen = scores[overfits == KINDS[kind]]
    if not len(chosen):
        raise NoNumberError("no checkpoint of this table overfits")
    return 100 * float((chosen > threshold(tables, level / 100)).mean())


def _area(detector: str, *records: Record) -> float:
    scores, overfits = detector_scores(detector, records)
    if not overfits.any():
        raise NoNumberError("no checkpoint of this table overfits")
    return float(roc_auc_score(overfits, scores))


def _overfitting(*records: Record) -> float:
    return 100 * float(detector_scores("spectral", records)[1].mean())


def _loss(*records: Record) -> float:
    """Compute by how many per cent the best test risk rises if a fifth of the samples are held out."""
    held, full = (
        np.mean([record.arrays[name].reshape(len(NETWORKS), -1).min(axis=1) for record in records])
        for name in ("holdout_risk", "risk")
    )
    return 100 * float(held / full - 1)


def table_arms(parameters: Mapping[str, Any], seed: int, _: str) -> dict[str, Arm]:
    """Measure every detector on the table whose number is the seed, with thresholds of the other tables."""
    check_fixed(parameters, {"rise": RISE})
    cells = [table_cells(parameters, table) for table in parameters["tables"]]
    every, own, place = tuple(chain.from_iterable(cells)), cells[seed], (seed, parameters["splits"])
    arms = {
        f"{SPACE}.{detector}.{kind}.l{level}": Arm(every, partial(flagged, detector, kind, level, *place))
        for detector, kind, level in product(FITS, KINDS, parameters["levels"])
    }
    arms |= {f"{SPACE}.{detector}.auc": Arm(own, partial(_area, detector)) for detector in FITS}
    return arms | {f"{SPACE}.overfitting": Arm(own, _overfitting), f"{SPACE}.holdout.loss": Arm(own, _loss)}
