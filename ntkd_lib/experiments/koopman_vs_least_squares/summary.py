"""Summary of notebook 04: scores by method, size and seed, their metrics, and paired differences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ntkd_lib.experiments.koopman_vs_least_squares.methods import LABELS, LEAST_SQUARES
from ntkd_lib.experiments.koopman_vs_least_squares.plan import (
    chosen_size,
    data_sets,
    extra_size,
    sizes,
    solved,
)
from ntkd_lib.experiments.koopman_vs_least_squares.settings import best_trial
from ntkd_lib.experiments.notebook import Run
from ntkd_lib.koopman.dictionaries import Monomials
from ntkd_lib.records.cells import Record
from ntkd_lib.records.evidence import Metric
from ntkd_lib.records.verdicts import bootstrap_interval

NAMES = ("mnist", "fashion")
PAIRS = (("kd", "naive"), ("kd", "naive_published"), ("kd", "ls_logits"), ("kd", "ce"), ("ce", "ls_onehot"))


def scores(run: Run) -> pd.DataFrame:
    """List the scores of all methods.

    Args:
        run: The run.

    Returns:
        One row a data set, degree, method, number of components and seed: accuracy and validation (percent),
        converged, ``chosen`` (whether this is the method's own choice of size) and the cell's key.
    """
    rows = []
    for name, data in zip(NAMES, data_sets(run.parameters), strict=True):
        for degree in (2, 3):
            rows += [{"data": name, "degree": degree, **row} for row in _students(run, data, degree)]
            rows += [{"data": name, "degree": degree, **row} for row in _least_squares(run, data, degree)]
    table = pd.DataFrame(rows)
    table["label"] = table["method"].map(LABELS)
    return table


def _students(run: Run, data: str, degree: int) -> Iterator[dict[str, Any]]:
    for (method, d), seeds in solved(run.parameters, data, degree).items():
        chosen = d == chosen_size(run.parameters, data, degree, method)
        for seed in seeds:
            record = student_record(run, data, degree, method, d, seed)
            wanted = ("accuracy", "validation", "converged", "gradient", "gap", "steps", "passes")
            yield {
                "method": method,
                "components": d,
                "seed": seed,
                "chosen": chosen,
                **{name: record.values[name] for name in wanted},
                "seconds": record.provenance["seconds"],
                "cell": record.key,
            }


def student_record(run: Run, data: str, degree: int, method: str, d: int, seed: int) -> Record:
    """Give the record of one student.

    Args:
        run: The run.
        data: Data set.
        degree: Degree.
        method: Method.
        d: Components.
        seed: Seed.

    Returns:
        The record.
    """
    return run.records[f"{data}/{method}/q={degree}/d={d}/seed={seed}"]


def _least_squares(run: Run, data: str, degree: int) -> Iterator[dict[str, Any]]:
    own = {m: chosen_size(run.parameters, data, degree, m) for m in LEAST_SQUARES}
    for seed in run.parameters.all_seeds:
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
    """Average the scores over seeds, each method at its own choice of size.

    Args:
        table: As ``scores`` gives it.

    Returns:
        One row a data set, degree and method: components, seeds, mean, 95 % interval and standard deviation.
    """
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
    low, high = bootstrap_interval(values)
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
    return {"mean": float(np.mean(values)), "low": low, "high": high, "std": deviation, "seeds": len(values)}


def differences(table: pd.DataFrame) -> pd.DataFrame:
    """Compare methods seed by seed, each at its own choice of size.

    Args:
        table: As ``scores`` gives it.

    Returns:
        One row a data set, degree and pair: mean difference in points, 95 % interval, smallest difference,
        seeds.
    """
    rows = []
    for (data, degree), part in table[table["chosen"]].groupby(["data", "degree"], sort=False):
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
    """Ask of every size whether the teacher adds anything: distillation minus cross-entropy, seed by seed.

    Args:
        table: As ``scores`` gives it.

    Returns:
        One row a data set, degree and number of components, with the number of functions.
    """
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
    """Average accuracy by size, with what a prediction costs.

    Args:
        table: As ``scores`` gives it.

    Returns:
        One row a data set, degree, method and size: mean accuracy, functions, nonlinear products, and all
        multiplications of an image (PCA, products, read-out).
    """
    pixels = 784
    rows = []
    for keys, part in table.groupby(["data", "degree", "method", "components"], sort=False):
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
    """Collect the metrics that the claim contract names, and the accuracy of every other method.

    Args:
        run: The run.

    Returns:
        Metric by name.
    """
    found, table = {}, scores(run)
    sets = dict(zip(NAMES, data_sets(run.parameters), strict=True))
    for (data, degree, method), part in table[table["chosen"]].groupby(["data", "degree", "method"]):
        name = f"koopman.{data}.q{degree}.{method}.accuracy"
        found[name] = _metric(part, list(part["accuracy"]), sets[data])
        if data == "mnist" and degree == 2 and method in ("kd", "naive") and len(part) > 1:
            deviation = float(np.std(part["accuracy"], ddof=1))
            found[f"{name}_std"] = _metric(part, [deviation], sets[data])
    return found


def _metric(part: pd.DataFrame, values: list[float], data: str) -> Metric:
    return Metric(
        seeds=[int(seed) for seed in part["seed"]],
        values=values,
        converged=[bool(done) for done in part["converged"]],
        data=[data],
        cells=list(part["cell"]),
    )


def teachers(run: Run) -> pd.DataFrame:
    """List the teachers.

    Args:
        run: The run.

    Returns:
        One row a data set and seed: test accuracy in percent and whether training had reached a plateau.
    """
    return pd.DataFrame(
        {
            "data": name,
            "seed": seed,
            **{
                key: run.records[f"{data}/teacher/seed={seed}"].values[key]
                for key in ("accuracy", "converged")
            },
        }
        for name, data in zip(NAMES, data_sets(run.parameters), strict=True)
        for seed in run.parameters.all_seeds
    )


def hardware(run: Run) -> pd.DataFrame:
    """List accuracies on imperfect hardware, digits at degree 2.

    Args:
        run: The run.

    Returns:
        One row a method, fault, level and seed: accuracy in percent.
    """
    data, d = run.parameters.digits, chosen_size(run.parameters, run.parameters.digits, 2, "kd")
    rows = []
    for seed in run.parameters.all_seeds:
        for method, values in _hardware_values(run, data, d, seed).items():
            for fault, levels in values.items():
                for level, accuracy in levels.items():
                    rows.append(
                        {
                            "method": method,
                            "label": LABELS[method],
                            "fault": fault,
                            "level": float(level),
                            "seed": seed,
                            "accuracy": accuracy,
                        }
                    )
    return pd.DataFrame(rows)


def _hardware_values(run: Run, data: str, d: int, seed: int) -> dict[str, Any]:
    found = {}
    for method in ("kd", "ce"):
        record = run.records.get(f"{data}/{method}/q=2/d={d}/seed={seed}")
        if record is not None:
            found[method] = record.values["hardware"]
    for fit in run.records[f"{data}/linear/q=2/seed={seed}"].values["fits"]:
        if "hardware" in fit:
            found[fit["method"]] = fit["hardware"]
    return found


def conditioning(run: Run) -> pd.DataFrame:
    """Average condition numbers of the lifted training data over seeds.

    Args:
        run: The run.

    Returns:
        One row a data set, degree and size: condition number with one common scale of the scores, and with
        standardised scores.
    """
    rows = [
        {"data": name, "degree": degree, **row}
        for name, data in zip(NAMES, data_sets(run.parameters), strict=True)
        for degree in (2, 3)
        for seed in run.parameters.all_seeds
        for row in run.records[f"{data}/linear/q={degree}/seed={seed}"].values["condition"]
    ]
    return pd.DataFrame(rows).groupby(["data", "degree", "components"], as_index=False).mean()


def stability(run: Run, table: pd.DataFrame) -> pd.DataFrame:
    """Compare the spread over seeds with that over parts of the training images, digits at degree 2.

    Args:
        run: The run.
        table: As ``scores`` gives it.

    Returns:
        One row a method and source of variation: deviations from the mean in points, one a repetition.
    """
    d, rows = extra_size(run.parameters), []
    parts = run.records[f"{run.parameters.digits}/stability"].values["accuracy"]
    for method in ("kd", "ce", "naive"):
        mine = _at(table, method, d)
        for what, values in (("seeds", list(mine["accuracy"])), ("90 % of the images", parts[method])):
            centre = float(np.mean(values))
            rows += [
                {"method": method, "label": LABELS[method], "what": what, "deviation": v - centre}
                for v in values
            ]
    return pd.DataFrame(rows)


def _at(table: pd.DataFrame, method: str, d: int) -> pd.DataFrame:
    digits = table[(table["data"] == "mnist") & (table["degree"] == 2)]
    return digits[(digits["method"] == method) & (digits["components"] == d)]


def course(run: Run) -> pd.DataFrame:
    """Follow Adam's excess loss over the certified optimum.

    Args:
        run: The run.

    Returns:
        One row an order of images and epoch: CPU seconds and loss minus optimum.
    """
    values = run.records[f"{run.parameters.digits}/course"].values
    return pd.DataFrame(
        {"order": order, "epoch": epoch + 1, "seconds": seconds, "excess": loss - values["optimum"]}
        for order, (losses, times) in enumerate(zip(values["losses"], values["seconds"], strict=True))
        for epoch, (loss, seconds) in enumerate(zip(losses, times, strict=True))
    )


def radial(run: Run, table: pd.DataFrame) -> dict[str, float]:
    """Compare radial functions with as many monomials, digits, the same seeds.

    Args:
        run: The run.
        table: As ``scores`` gives it.

    Returns:
        Mean accuracies in percent by dictionary, and the number of functions.
    """
    d, data = extra_size(run.parameters), run.parameters.digits
    seeds = run.parameters.all_seeds[: run.parameters.grid_seeds]
    found = [student_record(run, data, 2, "kd_rbf", d, seed).values["accuracy"] for seed in seeds]
    mine = _at(table, "kd", d)
    alike = mine[mine["seed"].isin(seeds)]["accuracy"]
    count = Monomials(d, 2).count
    return {"rbf": float(np.mean(found)), "monomials": float(alike.mean()), "functions": count}


def settings(run: Run) -> pd.DataFrame:
    """List the settings that the search chose, each method at its own size.

    Args:
        run: The run.

    Returns:
        One row a data set, degree and method: components and settings in words.
    """
    rows = []
    for name, data in zip(NAMES, data_sets(run.parameters), strict=True):
        for degree in (2, 3):
            for method in ("kd", "ce", *(("kd_only",) if degree == 2 else ()), *LEAST_SQUARES):
                trial = best_trial(data, degree, method, sizes(run.parameters, degree))
                words = ", ".join(f"{key} {value:g}" for key, value in trial["settings"].items())
                rows.append(
                    {
                        "data": name,
                        "degree": degree,
                        "method": method,
                        "label": LABELS[method],
                        "components": trial["components"],
                        "settings": words,
                        "validation": trial["validation"],
                    }
                )
    return pd.DataFrame(rows)
