"""The metrics of notebook 06 that the claim contract names."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import mean

import numpy as np
import pandas as pd

from ntkd_lib.chapters.distilled_ntk.paper_costs import contract_costs
from ntkd_lib.chapters.distilled_ntk.summary import (
    FEWER,
    PREFIXES,
    all_seeds,
    record_of,
    scores,
    seeds_of,
    synthetic_scores,
)
from ntkd_lib.chapters.distilled_ntk.synthetic import SELECTIONS
from ntkd_lib.chapters.run import Run
from ntkd_lib.lab.cells import Record
from ntkd_lib.lab.evidence import Metric

COMPRESSED = {
    "random_points": "balanced",
    "distilled_points": "distilled",
    "pseudo": "pseudo",
    "last_layer": "last layer",
}


def metrics(run: Run) -> dict[str, Metric]:
    """Collect the metrics that the claim contract names, and their likes on the other data sets."""
    found = {name: Metric(seeds=[0], values=[value]) for name, value in contract_costs().items()}
    for data, seeds in all_seeds(run).items():
        table = synthetic_scores(run).query("data == @data")
        for name, method in (("local_global", "local-global"), ("global_top", "global top")):
            values = _over_counts(table, method)
            found[f"dntk.{PREFIXES[data]}.{name}.fidelity"] = _metric(run, data, "synthetic", seeds, values)
        best = max(SELECTIONS, key=lambda method, table=table: mean(_over_counts(table, method)))
        values = _over_counts(table, best)
        found[f"dntk.{PREFIXES[data]}.best_selection.fidelity"] = _metric(
            run, data, "synthetic", seeds, values
        )
        found |= _thorough_metrics(run, data)
    return found


def _over_counts(table: pd.DataFrame, method: str) -> list[float]:
    return table[table["method"] == method].groupby("seed", sort=False)["fidelity"].mean().tolist()


def _thorough_metrics(run: Run, data: str) -> dict[str, Metric]:
    seeds, table = seeds_of(run, data), scores(run).query("data == @data and target == 'logits'")
    few, many = 10 * 10, 10 * run.parameters.per_class

    def score(method: str, size: int, column: str) -> np.ndarray:
        part = table[(table["method"] == method) & (table["size"] == size)]
        return part.set_index("seed")[column].loc[seeds].to_numpy()

    most = table[table["method"] == "exact"]["size"].max()
    drop = score("exact", most, "accuracy") - score("distilled", few, "accuracy")
    base = score("distilled", many, "accuracy") - score("distilled base", many, "accuracy")
    records = {
        name: [record_of(run, data, name, s) for s in seeds] for name in ("points", "synthetic", "ranks")
    }
    values = {
        "jac20.accuracy_drop": ("points", drop),
        "jac20.kernel_cosine": (
            "points",
            [r.values["structure"][f"distilled/{few}"] for r in records["points"]],
        ),
        "s5.accuracy": ("synthetic", score("local-global", 5, "accuracy")),
        "s5.fidelity": ("synthetic", score("local-global", 5, "fidelity")),
        "distilled_points.fidelity": ("points", score("distilled", few, "fidelity")),
        "random_points.fidelity": ("points", score("balanced", few, "fidelity")),
        "distilled_base.accuracy_drop": ("base", base),
        "uncovered_variance": ("synthetic", [r.values["uncovered"] for r in records["synthetic"]]),
        "trunc_rank_50": ("ranks", [_rank(r, "distilled")["truncation"] for r in records["ranks"]]),
        "rank_shift": ("ranks", [_shift(r) for r in records["ranks"]]),
    }
    values |= {name: ("points", part) for name, part in _agreements(scores(run).query("data == @data"))}
    prefix = f"dntk.{PREFIXES[data]}"
    return {f"{prefix}.{k}": _metric(run, data, cell, seeds, list(v)) for k, (cell, v) in values.items()}


def _agreements(table: pd.DataFrame) -> Iterator[tuple[str, pd.Series]]:
    """Pick how often compressed kernels decide as the exact one: 100 images, or the most for few rows."""
    cheap = table[(table["fewer"] >= FEWER) | (table["size"] == 100)]
    for name, method in COMPRESSED.items():
        for target, prefix in (("logits", ""), ("labels", "label_")):
            part = cheap[(cheap["method"] == method) & (cheap["target"] == target)]
            yield f"{name}.{prefix}agreement", part[part["size"] == part["size"].max()]["agreement"]


def _rank(record: Record, state: str) -> dict:
    return next(row for row in record.values["rows"] if row["state"] == state)


def _shift(record: Record) -> float:
    pairs = zip(_rank(record, "distilled")["by_class"], _rank(record, "real")["by_class"], strict=True)
    return mean(abs(a - b) for a, b in pairs)


def _metric(run: Run, data: str, cell: str, seeds: list[int], values: list[float]) -> Metric:
    return Metric(
        seeds=seeds,
        values=[float(value) for value in values],
        converged=[record_of(run, data, "network", seed).values["converged"] for seed in seeds],
        data=[data],
        cells=[record_of(run, data, cell, seed).key for seed in seeds],
    )
