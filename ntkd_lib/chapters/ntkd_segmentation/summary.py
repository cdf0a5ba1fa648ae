"""Summary of notebook 02: scores by student and seed, their metrics, paired differences, and the search."""

from __future__ import annotations

from statistics import mean

import numpy as np
import pandas as pd

from ntkd_lib.chapters.ntkd_classification.summary import gap_row
from ntkd_lib.chapters.ntkd_segmentation.methods import METHODS
from ntkd_lib.chapters.ntkd_segmentation.plan import compared_methods
from ntkd_lib.chapters.ntkd_segmentation.settings import best_trial, chosen_form, search
from ntkd_lib.chapters.run import Run
from ntkd_lib.lab.cells import Record
from ntkd_lib.lab.evidence import Metric, metric_of
from ntkd_lib.lab.statistics import interval_ends

PAPER = {"none": 74.3, "kd": 86.7, "ntkd": 91.5, "f8": 49.3, "many": 64.1}
PAIRS = (
    ("ntkd", "kd"),
    ("ntkd", "none"),
    ("kd", "none"),
    ("ntkd", "none_long"),
    ("ntkd_projected", "ntkd_normalised"),
    ("none", "random_frozen"),
    ("none", "lens"),
)


def student_records(run: Run, method: str) -> dict[int, Record]:
    """Give the records of a student by seed."""
    name = chosen_form() if method == "ntkd" else method
    prefix = f"{run.parameters.data}/{name}"
    return {seed: run.records[f"{prefix}/seed={seed}"] for seed in run.parameters.all_seeds}


def scores(run: Run) -> pd.DataFrame:
    """List the scores of all students."""
    names = ("miou", "boundary", "converged", "parameters")
    return pd.DataFrame(
        {
            "method": method.name,
            "label": student_label(method.name),
            "seed": seed,
            **{name: record.values[name] for name in names},
            "seconds": record.provenance["seconds"],
        }
        for method in compared_methods()
        for seed, record in student_records(run, method.name).items()
    )


def summary_table(table: pd.DataFrame) -> pd.DataFrame:
    """Average the scores over seeds."""
    rows = [_summary_row(name, part) for name, part in table.groupby("method", sort=False)]
    return pd.DataFrame(rows)


def _summary_row(name: str, part: pd.DataFrame) -> dict[str, object]:
    low, high = interval_ends(list(part["miou"]))
    return {
        "method": name,
        "label": part["label"].iloc[0],
        "mean": part["miou"].mean(),
        "low": low,
        "high": high,
        "std": part["miou"].std(ddof=1) if len(part) > 1 else np.nan,
        "boundary": part["boundary"].mean(),
        "paper": PAPER.get("ntkd" if name == chosen_form() else name, np.nan),
        "parameters": part["parameters"].iloc[0],
        "seconds": part["seconds"].mean(),
    }


def differences(table: pd.DataFrame) -> pd.DataFrame:
    """Compare students seed by seed."""
    by_method = {name: part.set_index("seed")["miou"] for name, part in table.groupby("method")}
    by_method["ntkd"] = by_method[chosen_form()]
    return pd.DataFrame(
        gap_row(by_method, pair, f"{short_label(pair[0])} − {short_label(pair[1])}") for pair in PAIRS
    )


def student_label(method: str) -> str:
    """Give what tables call a student; the chosen form of the kernel loss is marked."""
    mark = " (chosen)" if method == chosen_form() else ""
    return METHODS[method].label + mark


def short_label(method: str) -> str:
    """Give what differences and panels call a student."""
    short = {"ntkd": "NTKD", "kd": "KD", "ntkd_projected": "projected", "ntkd_normalised": "pooled"}
    return short.get(method) or METHODS[method].label


def metrics(run: Run) -> dict[str, Metric]:
    """Collect the metrics that the claim contract names, and the score of every other student."""
    data = run.parameters.data
    found = {
        f"ntkd.carvana.{m.name}.miou": metric_of(student_records(run, m.name), "miou", data)
        for m in compared_methods()
    }
    found["ntkd.carvana.ntkd.miou"] = metric_of(student_records(run, "ntkd"), "miou", data)
    for name, ours in (("f8", "f8"), (f"f{run.parameters.many}", "many")):
        found[f"ntkd.random.carvana.{name}.miou"] = found.pop(f"ntkd.carvana.{ours}.miou")
    teacher = run.records[f"{run.parameters.data}/teacher"]
    found["ntkd.carvana.teacher.miou"] = Metric(
        seeds=[0], values=[teacher.values["miou"]], data=[run.parameters.data], cells=[teacher.key]
    )
    return found


def teacher_row(run: Run) -> pd.DataFrame:
    """List the teacher and how well its compressed tangent kernels stand for the exact ones."""
    prefix = f"{run.parameters.data}/"
    teacher = run.records[f"{prefix}teacher"]
    rows = []
    for name, record in run.records.items():
        if name.startswith(f"{prefix}tangent/"):
            kept = {k: record.values[k] for k in ("summary", "cosine", "relative_error", "mean_diagonal")}
            scored = {k: teacher.values[k] for k in ("miou", "boundary", "parameters")}
            seconds = teacher.provenance["seconds"] + record.provenance["seconds"]
            rows.append({**kept, **scored, "seconds": seconds})
    return pd.DataFrame(rows)


def curves(run: Run, methods: tuple[str, ...]) -> pd.DataFrame:
    """Average validation curves over seeds."""
    rows = []
    for method in methods:
        values = np.array([record.values["curve"] for record in student_records(run, method).values()])
        share = np.linspace(0, 1, values.shape[1] + 1)[1:]
        for part, column in zip(share, values.T, strict=True):
            ends = {"mean": column.mean(), "low": column.min(), "high": column.max()}
            rows.append({"method": short_label(method), "share": 100 * part, **ends})
    return pd.DataFrame(rows)


def trials() -> pd.DataFrame:
    """List the trials of the recorded search."""
    rows = []
    for trial in search()["trials"]:
        settings = ", ".join(f"{name} {value:g}" for name, value in trial["settings"].items())
        rows.append(
            {
                "method": trial["method"],
                "label": METHODS[trial["method"]].label,
                "settings": settings,
                "validation": mean(trial["validation"]),
                "chosen": trial["settings"] == best_trial(trial["method"])["settings"],
            }
        )
    return pd.DataFrame(rows)
