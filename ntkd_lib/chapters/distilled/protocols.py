"""The recorded protocol of notebook 06: the paper's pipeline on a network that was trained on ImageNet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product
from statistics import mean
from typing import Any

from ntkd_lib.chapters.distilled import NOTEBOOK
from ntkd_lib.chapters.distilled.studies.pretrained import DATA, seed_cells
from ntkd_lib.chapters.distilled.studies.synthetic import COUNTS, ENERGIES, SELECTIONS
from ntkd_lib.dntk.gradients import CLUSTERS
from ntkd_lib.lab import Arm, Protocol, Record, value_of

SCORES = ("accuracy", "fidelity")
OTHERS = {f"{method.replace(' ', '_')}.": method for method in ("global top", *SELECTIONS)}
REDUCED = {"": "local-global"} | OTHERS


def pretrained_arms(parameters: Mapping[str, Any], seed: int, sha256: str) -> dict[str, Arm]:
    """Read the contract's metrics of one seed, and those that the page prints beside them."""
    exact, small, against, distilled = seed_cells(parameters, seed, sha256).values()
    every = tuple(seed_cells(parameters, each, sha256)["reduced"] for each in parameters["draws"])
    place = parameters["draws"].index(seed)
    arms = {
        f"{prefix}s{count}.{score}": Arm((small,), _score(method, score, (count,)))
        for (prefix, method), count, score in product(REDUCED.items(), COUNTS, SCORES)
    }
    arms |= {
        "local_global.fidelity": Arm((small,), _score("local-global", "fidelity", COUNTS)),
        "uncovered_variance": Arm((small,), value_of("uncovered")),
        "jac20.accuracy_drop": Arm((exact, small), _lost, rank=1),
        "jac20.kernel_cosine": Arm((against,), lambda r: r.values["structure"]["distilled"], rank=1),
        "random.kernel_cosine": Arm((against,), lambda r: r.values["structure"]["balanced"], rank=1),
        "trunc_rank_50": Arm((against,), lambda r: r.values["ranks"]["truncation"], rank=1),
        "rank_shift": Arm((against, distilled), _shift, rank=2),
        "best_selection.fidelity": Arm(every, lambda *records: best_selection(records)[place], rank=3),
    }
    for score in SCORES:
        arms[f"distilled_points.{score}"] = Arm((small,), _score("distilled", score))
        arms[f"random_points.{score}"] = Arm((against,), _score("balanced", score), rank=1)
        arms[f"exact.{score}"] = Arm((exact,), _score("exact", score), rank=1)
    for cost in ("flop", "seconds"):
        arms[f"dntk.{cost}"] = Arm((small,), _built("local-global", cost, COUNTS[-1]))
        arms[f"exact.{cost}"] = Arm((exact,), _built("exact", cost), rank=1)
    arms |= {
        f"uncovered.h{clusters}.e{round(100 * energy)}": Arm((small,), _uncovered(clusters, energy))
        for clusters, energy in product(CLUSTERS, ENERGIES)
    }
    return {f"dntk.pretrained.{name}": arm for name, arm in arms.items()}


def _rows(record: Record, method: str, sizes: tuple[int, ...] = ()) -> list[dict[str, Any]]:
    """Select the rows of regression on logits, by the sizes aimed at if there are several."""
    rows = [r for r in record.values["rows"] if (r["method"], r["target"]) == (method, "logits")]
    return [rows[COUNTS.index(size)] for size in sizes] if sizes else rows


def _score(method: str, score: str, sizes: tuple[int, ...] = ()) -> Callable[[Record], float]:
    return lambda record: mean(row[score] for row in _rows(record, method, sizes))


def _built(method: str, measure: str, *sizes: int) -> Callable[[Record], float]:
    return lambda record: sum(c[measure] for c in _rows(record, method, sizes)[0]["ledger"]["build"].values())


def _uncovered(clusters: int, energy: float) -> Callable[[Record], float]:
    return lambda record: next(
        point["uncovered"]
        for point in record.values["uncovered_curve"]
        if (point["clusters"], point["energy"]) == (clusters, energy)
    )


def best_selection(records: tuple[Record, ...]) -> list[float]:
    """List the fidelity per seed of the selection rule that is best on average over seeds and sizes."""
    scores = [[_score(rule, "fidelity", COUNTS)(record) for record in records] for rule in SELECTIONS]
    return max(scores, key=mean)


def _lost(exact: Record, small: Record) -> float:
    return _score("exact", "accuracy")(exact) - _score("distilled", "accuracy")(small)


def _shift(against: Record, distilled: Record) -> float:
    real, made = (record.values["ranks"]["by_class"] for record in (against, distilled))
    return mean(abs(a - b) for a, b in zip(real, made, strict=True))


PROTOCOLS = (Protocol("pretrained", NOTEBOOK, DATA, pretrained_arms),)
