"""Summary of notebook 06: scores of all methods with what they took."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import mean

import numpy as np
import pandas as pd

from ntkd_lib.chapters.distilled_ntk.plan import colour_seeds, thorough_seeds
from ntkd_lib.chapters.distilled_ntk.synthetic import COUNTS
from ntkd_lib.chapters.run import Run
from ntkd_lib.lab.cells import Record

SCORED = ("exact", "points", "streamed", "synthetic", "energy", "base")
PREFIXES = {"mnist": "small", "mnist-5k": "small", "cifar-10": "cifar10", "imagenette": "imagenette"}
QUERIES = 1000
LEVEL, FEWER = 99.0, 20.0
SHOWN = (
    ("exact", 2000),
    ("random", 100),
    ("random", 500),
    ("pivoted", 100),
    ("distilled", 100),
    ("distilled", 500),
    ("local-global", 5),
    ("local-global", 40),
    ("global top", 40),
    ("nystrom", 100),
    ("streamed", 2000),
    ("pseudo", 1000),
    ("last layer", 2000),
)


def seeds_of(run: Run, data: str) -> list[int]:
    """List the seeds of a data set that have the exact kernel."""
    return thorough_seeds(run.parameters) if data == run.parameters.data else colour_seeds(run.parameters)


def record_of(run: Run, data: str, cell: str, seed: int) -> Record:
    """Give the record of a cell."""
    return run.records[f"{data}/{cell}/seed={seed}"]


def scores(run: Run) -> pd.DataFrame:
    """List the scores of all methods where the exact kernel is known."""
    datasets = (run.parameters.data, run.parameters.colour)
    parts = [_seed_scores(run, data, seed) for data in datasets for seed in seeds_of(run, data)]
    return pd.DataFrame([row for part in parts for row in part])


def _seed_scores(run: Run, data: str, seed: int) -> list[dict[str, object]]:
    exact = record_of(run, data, "exact", seed)
    size, most = exact.values["rows"][0]["size"], _built(exact.values["rows"][0])["rows"]
    found = []
    for cell in SCORED:
        record = record_of(run, data, cell, seed)
        for row in record.values["rows"]:
            truth = exact.arrays[f"exact/{size}/{row['target']}"]
            guess = record.arrays[f"{row['method']}/{row['size']}/{row['target']}"]
            built, query = _built(row), row["ledger"]["query"]
            found.append(
                {
                    **{
                        k: row[k]
                        for k in ("method", "size", "target", "accuracy", "fidelity", "squared_error")
                    },
                    "data": data,
                    "seed": seed,
                    "agreement": 100 * float((guess == truth).mean()),
                    **{name: built[name] for name in ("rows", "flop", "seconds")},
                    "mebibytes": built["bytes"] / 2**20,
                    "query_flop": query["flop"],
                    "query_seconds": query["seconds"],
                    "fewer": most / built["rows"] if built["rows"] else np.inf,
                }
            )
    return found


def _built(row: Mapping[str, dict]) -> dict[str, float]:
    stages = list(row["ledger"]["build"].values())
    sums = {name: sum(stage[name] for stage in stages) for name in ("rows", "flop", "seconds")}
    return {**sums, "bytes": max(stage["bytes"] for stage in stages)}


def averages(table: pd.DataFrame) -> pd.DataFrame:
    """Average scores over seeds."""
    keys = ["data", "method", "size", "target"]
    seeds = table.groupby("data")["seed"].nunique()
    table = table[table.groupby(keys)["seed"].transform("nunique") == table["data"].map(seeds)]
    found = table.drop(columns="seed").groupby(keys, sort=False, as_index=False).mean()
    return found.assign(total_seconds=found["seconds"] + QUERIES * found["query_seconds"])


def noise(run: Run) -> dict[str, dict[str, float]]:
    """Say how much exact kernel regression agrees with itself under a ridge ten times larger."""
    found = {}
    for data in (run.parameters.data, run.parameters.colour):
        records = [record_of(run, data, "exact", seed) for seed in seeds_of(run, data)]
        found[data] = {t: mean(r.values["noise"][t] for r in records) for t in records[0].values["noise"]}
    return found


def fewest_rows(means: pd.DataFrame, level: float = LEVEL) -> pd.DataFrame:
    """Find the cheapest size of each method that agrees with exact kernel regression well enough."""
    rows = []
    for (data, target, method), part in means.groupby(["data", "target", "method"], sort=False):
        reached = part[part["agreement"] >= level].sort_values("rows")
        cheap = part[part["fewer"] >= FEWER]
        rows.append(
            {
                "data": data,
                "target": target,
                "method": method,
                "rows": reached["rows"].iloc[0] if len(reached) else np.nan,
                "fewer": reached["fewer"].iloc[0] if len(reached) else np.nan,
                "cheap_agreement": cheap["agreement"].max() if len(cheap) else np.nan,
            }
        )
    return pd.DataFrame(rows)


def best_cheap(means: pd.DataFrame, data: str, target: str = "logits") -> pd.Series:
    """Find the method that agrees best with exact kernel regression for a twentieth of its Jacobian rows."""
    part = means[(means["data"] == data) & (means["target"] == target)]
    part = part[(part["fewer"] >= FEWER) & (part["rows"] > 0)]
    return part.loc[part["agreement"].idxmax()]


def synthetic_scores(run: Run) -> pd.DataFrame:
    """List the scores on synthetic gradients for all seeds, those without an exact kernel too."""
    rows = [
        {"data": data, "seed": seed, **{k: row[k] for k in ("method", "size", "accuracy", "fidelity")}}
        for data, seeds in all_seeds(run).items()
        for seed in seeds
        for row in record_of(run, data, "synthetic", seed).values["rows"]
        if row["target"] == "logits"
    ]
    return pd.DataFrame(rows)


def all_seeds(run: Run) -> dict[str, list[int]]:
    """List the seeds of each data set, those without an exact kernel too."""
    return {
        run.parameters.data: run.parameters.all_seeds,
        run.parameters.colour: colour_seeds(run.parameters),
    }


def ranks(run: Run) -> pd.DataFrame:
    """List ranks of per-class kernels against points a class."""
    return pd.DataFrame(
        {"data": data, "seed": seed, **row}
        for data in (run.parameters.data, run.parameters.colour)
        for seed in seeds_of(run, data)
        for row in record_of(run, data, "ranks", seed).values["rows"]
    )


def spectra(run: Run) -> pd.DataFrame:
    """List eigenvalues of the mean kernel of the distilled images, and of the synthetic gradients'."""
    rows = []
    for data, seeds in all_seeds(run).items():
        arrays = record_of(run, data, "synthetic", seeds[0]).arrays
        curves = {"before: all distilled images": "eigenvalues", f"after: {COUNTS[-1]} synthetic": "reduced"}
        for label, name in curves.items():
            shares = enumerate(arrays[name], start=1)
            rows += [{"data": data, "curve": label, "index": i, "share": float(v)} for i, v in shares]
    return pd.DataFrame(rows)


def stage_seconds(run: Run) -> pd.DataFrame:
    """List the measured seconds of each stage of the main methods on the digits."""
    data = run.parameters.data
    shown = (
        ("exact", "exact", None),
        ("synthetic", "local-global", COUNTS[-1]),
        ("streamed", "streamed", None),
    )
    shown += (("points", "nystrom", 100), ("points", "random", 100), ("points", "pseudo", 1000))
    rows = []
    for seed in seeds_of(run, data):
        for cell, method, size in shown:
            entries = [r for r in record_of(run, data, cell, seed).values["rows"] if _is(r, method, size)]
            for row in entries[:1]:
                rows += [
                    {"method": method, "stage": stage, "seconds": work["seconds"], "flop": work["flop"]}
                    for stage, work in row["ledger"]["build"].items()
                ]
    return pd.DataFrame(rows).groupby(["method", "stage"], sort=False, as_index=False).mean()


def _is(row: Mapping[str, object], method: str, size: int | None) -> bool:
    return row["method"] == method and row["target"] == "logits" and size in (None, row["size"])


def prefixes(run: Run) -> dict[str, str]:
    """Say how metrics of a data set are named."""
    return {data: PREFIXES[data] for data in (run.parameters.data, run.parameters.colour)}


def best_by_data(run: Run, means: pd.DataFrame) -> dict[str, pd.Series]:
    """Find the best method for a twentieth of the Jacobian rows on each data set."""
    return {data: best_cheap(means, data) for data in prefixes(run)}


def energy(run: Run, means: pd.DataFrame) -> pd.DataFrame:
    """List images tuned to the tangent kernel, what they start from, and feature matching of equal work."""
    logits = means[means["target"] == "logits"]
    parts = []
    for data in prefixes(run):
        records = [record_of(run, data, "energy", seed) for seed in seeds_of(run, data)]
        for method in records[0].values["captured"]:
            part = logits[(logits["data"] == data) & (logits["method"] == method)]
            share = mean(record.values["captured"][method] for record in records)
            parts.append(part.assign(captured=100 * share))
    return pd.concat(parts, ignore_index=True)
