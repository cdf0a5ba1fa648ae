"""Summary of notebook 04: scores by method, size and seed, their metrics, and paired differences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ntkd_lib.chapters.koopman_vs_least_squares.methods import LABELS, LEAST_SQUARES
from ntkd_lib.chapters.koopman_vs_least_squares.plan import (
    RESNET,
    chosen_size,
    data_sets,
    first_seeds,
    residual_seeds,
    side_seeds,
    solved,
)
from ntkd_lib.chapters.run import Run
from ntkd_lib.koopman.dictionaries import Monomials
from ntkd_lib.lab.cells import Record
from ntkd_lib.lab.evidence import Metric
from ntkd_lib.lab.statistics import interval_ends

NAMES = ("mnist", "fashion")
PAIRS = (("kd", "naive"), ("kd", "naive_published"), ("kd", "ls_logits"), ("kd", "ce"), ("ce", "ls_onehot"))


def scores(run: Run) -> pd.DataFrame:
    """List the scores of all methods."""
    rows = []
    for name, data in zip(NAMES, data_sets(run.parameters), strict=True):
        for degree in (2, 3, 1):  # the control last
            rows += [{"data": name, "degree": degree, **row} for row in _students(run, data, degree)]
            rows += [{"data": name, "degree": degree, **row} for row in _least_squares(run, data, degree)]
        rows += [{"data": name, "degree": 1, **row} for row in _pixels(run, data)]
    table = pd.DataFrame(rows)
    table["label"] = table["method"].map(LABELS)
    return table


def _students(run: Run, data: str, degree: int) -> Iterator[dict[str, Any]]:
    for (method, d), seeds in solved(run.parameters, data, degree).items():
        chosen = d == chosen_size(run.parameters, data, degree, method)
        for seed in seeds:
            record = student_record(run, data, degree, method, d, seed)
            yield _solution(record, method=method, components=d, seed=seed, chosen=chosen)


def _pixels(run: Run, data: str) -> Iterator[dict[str, Any]]:
    for seed in side_seeds(run.parameters):
        record = run.records[f"{data}/pixels/seed={seed}"]
        yield _solution(record, method="pixels", components=784, seed=seed, chosen=True)


def _solution(record: Record, **known: Any) -> dict[str, Any]:
    wanted = ("accuracy", "validation", "converged", "gradient", "gap", "steps", "passes")
    return {
        **known,
        **{name: record.values[name] for name in wanted},
        "seconds": record.provenance["seconds"],
        "cell": record.key,
    }


def student_record(run: Run, data: str, degree: int, method: str, d: int, seed: int) -> Record:
    """Give the record of one student."""
    return run.records[f"{data}/{method}/q={degree}/d={d}/seed={seed}"]


def _least_squares(run: Run, data: str, degree: int) -> Iterator[dict[str, Any]]:
    own = {m: chosen_size(run.parameters, data, degree, m) for m in LEAST_SQUARES}
    for seed in run.parameters.all_seeds if degree > 1 else first_seeds(run.parameters):
        record = run.records[f"{data}/linear/q={degree}/seed={seed}"]
        for fit in record.values["fits"]:
            yield {
                "method": fit["method"],
                "components": fit["components"],
                "seed": seed,
                "chosen": fit["components"] == own[fit["method"]],
                "accuracy": fit["accuracy"],
                "validation": fit["validation"],
                "converged": True,
                "cell": record.key,
            }


def summary_table(table: pd.DataFrame) -> pd.DataFrame:
    """Average the scores over seeds, each method at its own choice of size."""
    rows = []
    chosen = table[table["chosen"]]
    for (data, degree, method), part in chosen.groupby(["data", "degree", "method"], sort=False):
        rows.append(
            {
                "data": data,
                "degree": degree,
                "method": method,
                "label": LABELS[method],
                "components": part["components"].iloc[0],
                **_spread(list(part["accuracy"])),
            }
        )
    return pd.DataFrame(rows)


def _spread(values: Sequence[float]) -> dict[str, float]:
    low, high = interval_ends(values)
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
    return {"mean": float(np.mean(values)), "low": low, "high": high, "std": deviation, "seeds": len(values)}


def differences(table: pd.DataFrame) -> pd.DataFrame:
    """Compare methods seed by seed, each at its own choice of size."""
    rows, compared = [], table[table["chosen"] & (table["degree"] > 1)]
    for (data, degree), part in compared.groupby(["data", "degree"], sort=False):
        by_method = {name: group.set_index("seed")["accuracy"] for name, group in part.groupby("method")}
        for greater, less in PAIRS:
            gaps = (by_method[greater] - by_method[less]).dropna()
            rows.append({"data": data, "degree": degree, **_pair(greater, less, gaps)})
    return pd.DataFrame(rows)


def _pair(greater: str, less: str, gaps: pd.Series) -> dict[str, Any]:
    label = f"{LABELS[greater]} − {LABELS[less]}"
    smallest = float(gaps.min())
    return {"greater": greater, "less": less, "label": label, "smallest": smallest, **_spread(list(gaps))}


def teacher_share(table: pd.DataFrame) -> pd.DataFrame:
    """Ask of every size whether the teacher adds anything: distillation minus cross-entropy, seed by seed."""
    rows = []
    pairs = table[table["method"].isin(("kd", "ce"))]
    for (data, degree, d), part in pairs.groupby(["data", "degree", "components"], sort=True):
        by_method = part.pivot_table(index="seed", columns="method", values="accuracy").dropna()
        gaps = by_method["kd"] - by_method["ce"]
        count = Monomials(d, degree).count
        pair = _pair("kd", "ce", gaps)
        rows.append({"data": data, "degree": degree, "components": d, "functions": count, **pair})
    return pd.DataFrame(rows)


def by_size(table: pd.DataFrame) -> pd.DataFrame:
    """Average accuracy by size, with what a prediction costs."""
    pixels = 784
    rows = []
    lifted = table[table["method"] != "pixels"]
    for keys, part in lifted.groupby(["data", "degree", "method", "components"], sort=False):
        monomials = Monomials(keys[3], keys[1])
        rows.append(
            {
                **dict(zip(("data", "degree", "method", "components"), keys, strict=True)),
                "label": LABELS[keys[2]],
                "mean": part["accuracy"].mean(),
                "functions": monomials.count,
                "products": monomials.products,
                "multiplications": pixels * keys[3] + monomials.products + 10 * monomials.count,
            }
        )
    return pd.DataFrame(rows)


def metrics(run: Run) -> dict[str, Metric]:
    """Collect the metrics that the claim contract names, and the accuracy of every other method."""
    found, table = {}, scores(run)
    sets = dict(zip(NAMES, data_sets(run.parameters), strict=True))
    for (data, degree, method), part in table[table["chosen"]].groupby(["data", "degree", "method"]):
        name = f"koopman.{data}.q{degree}.{method}.accuracy"
        found[name] = _metric(part, list(part["accuracy"]), sets[data])
        if data == "mnist" and degree == 2 and method in ("kd", "naive") and len(part) > 1:
            deviation = float(np.std(part["accuracy"], ddof=1))
            found[f"{name}_std"] = _metric(part, [deviation], sets[data])
    for data, part in teachers(run).groupby("data"):
        found[f"koopman.{data}.teacher.accuracy"] = _metric(part, list(part["accuracy"]), sets[data])
    if run.parameters.resnet_seeds:
        for name, part in residual(run).groupby("method"):
            found[f"koopman.mnist.{RESNET}.q2_{name}.accuracy"] = _metric(
                part, list(part["accuracy"]), sets["mnist"]
            )
    return found


def _metric(part: pd.DataFrame, values: list[float], data: str) -> Metric:
    return Metric(
        seeds=[int(seed) for seed in part["seed"]],
        values=values,
        converged=[bool(done) for done in part["converged"]],
        data=[data],
        cells=list(part["cell"]),
    )


def residual(run: Run) -> pd.DataFrame:
    """List the scores with a ResNet-18 as teacher, digits at degree 2."""
    data, rows = run.parameters.digits, []
    d = chosen_size(run.parameters, data, 2, "kd")
    for seed in residual_seeds(run.parameters):
        student = run.records[f"{data}/{RESNET}/kd/q=2/d={d}/seed={seed}"]
        naive = run.records[f"{data}/{RESNET}/linear/q=2/seed={seed}"]
        best = max(naive.values["fits"], key=lambda fit: fit["validation"])
        done = run.records[f"{data}/{RESNET}/teacher/seed={seed}"].values
        common = {"seed": seed, "teacher": done["accuracy"]}
        rows += [
            {**common, "method": "kd", **_outcome(student, student.values)},
            {**common, "method": "naive_pca", **_outcome(naive, best)},
        ]
    return pd.DataFrame(rows)


def _outcome(record: Record, values: Mapping[str, Any]) -> dict[str, Any]:
    converged = bool(values.get("converged", True))
    return {"accuracy": values["accuracy"], "converged": converged, "cell": record.key}


def teachers(run: Run) -> pd.DataFrame:
    """List the teachers."""
    rows = []
    for name, data in zip(NAMES, data_sets(run.parameters), strict=True):
        for seed in run.parameters.all_seeds:
            record = run.records[f"{data}/teacher/seed={seed}"]
            rows.append({"data": name, "seed": seed, **_outcome(record, record.values)})
    return pd.DataFrame(rows)
