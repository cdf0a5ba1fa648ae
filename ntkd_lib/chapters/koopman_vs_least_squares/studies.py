"""Studies beside the scores of notebook 04: hardware, conditioning, spread, Adam, dictionaries, settings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ntkd_lib.chapters.koopman_vs_least_squares.methods import LABELS, LEAST_SQUARES
from ntkd_lib.chapters.koopman_vs_least_squares.plan import (
    DEGREES,
    chosen_size,
    data_sets,
    extra_size,
    first_seeds,
    sizes,
)
from ntkd_lib.chapters.koopman_vs_least_squares.settings import best_trial
from ntkd_lib.chapters.koopman_vs_least_squares.summary import NAMES, student_record
from ntkd_lib.chapters.run import Run
from ntkd_lib.koopman.dictionaries import Monomials

MORE = {1: ("pixels",), 2: ("kd_only",), 3: ()}  # methods that one degree alone has


def hardware(run: Run) -> pd.DataFrame:
    """List accuracies on imperfect hardware, digits at degree 2."""
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
    """List condition numbers of the lifted training data of the first seed."""
    seed = run.parameters.all_seeds[0]
    return pd.DataFrame(
        {"data": name, "degree": degree, **row}
        for name, data in zip(NAMES, data_sets(run.parameters), strict=True)
        for degree in (2, 3)
        for row in run.records[f"{data}/linear/q={degree}/seed={seed}"].values["condition"]
    )


def stability(run: Run, table: pd.DataFrame) -> pd.DataFrame:
    """Compare the spread over seeds with that over parts of the training images, digits at degree 2."""
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
    """Follow Adam's excess loss over the certified optimum."""
    values = run.records[f"{run.parameters.digits}/course"].values
    return pd.DataFrame(
        {"order": order, "epoch": epoch + 1, "seconds": seconds, "excess": loss - values["optimum"]}
        for order, (losses, times) in enumerate(zip(values["losses"], values["seconds"], strict=True))
        for epoch, (loss, seconds) in enumerate(zip(losses, times, strict=True))
    )


def radial(run: Run, table: pd.DataFrame) -> dict[str, float]:
    """Compare radial functions with as many monomials, digits, the same seeds."""
    d, data = extra_size(run.parameters), run.parameters.digits
    seeds = first_seeds(run.parameters)
    found = [student_record(run, data, 2, "kd_rbf", d, seed).values["accuracy"] for seed in seeds]
    mine = _at(table, "kd", d)
    alike = mine[mine["seed"].isin(seeds)]["accuracy"]
    count = Monomials(d, 2).count
    return {"rbf": float(np.mean(found)), "monomials": float(alike.mean()), "functions": count}


def settings(run: Run) -> pd.DataFrame:
    """List the settings that the search chose, each method at its own size."""
    rows = []
    for name, data in zip(NAMES, data_sets(run.parameters), strict=True):
        for degree in DEGREES:
            for method in (*MORE[degree], "kd", "ce", *LEAST_SQUARES):
                asked = None if method == "pixels" else sizes(run.parameters, degree)
                trial = best_trial(data, degree, method, asked)
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
