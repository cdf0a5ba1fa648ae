"""Summary of notebook 01: scores by student and seed, their metrics, paired differences, and the search."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import mean

import numpy as np
import pandas as pd

from ntkd_lib.chapters.ntkd_classification.methods import METHODS
from ntkd_lib.chapters.ntkd_classification.plan import compared_methods, seeds_of
from ntkd_lib.chapters.ntkd_classification.settings import best_trial, chosen_form, search
from ntkd_lib.chapters.run import Run
from ntkd_lib.lab.cells import Record
from ntkd_lib.lab.evidence import Metric, metric_of
from ntkd_lib.lab.statistics import interval_ends

PAPER = {"none": (91.4, 0.8), "kd": (95.9, 0.6), "ntkd": (97.3, 0.6), "f8": (96.12, None)}
PAIRS = (
    ("ntkd", "kd"),
    ("ntkd", "none"),
    ("kd", "none"),
    ("ntkd", "none_tuned"),
    ("ntkd", "ntkd_untrained_teacher"),
    ("ntkd", "ntkd_trace_only"),
    ("none", "random_frozen"),
    ("ntkd_hidden", "kd_hidden"),
    ("kd_hidden", "none_hidden"),
)


def student_records(run: Run, method: str) -> dict[int, Record]:
    """Give the records of a student by seed."""
    name = chosen_form() if method == "ntkd" else method
    prefix = f"{run.parameters.data}/{name}"
    seeds = seeds_of(run.parameters, next(m for m in compared_methods() if m.name == name))
    return {seed: run.records[f"{prefix}/seed={seed}"] for seed in seeds}


def scores(run: Run) -> pd.DataFrame:
    """List the scores of all students."""
    return pd.DataFrame(
        {
            "method": method.name,
            "label": method.label,
            "seed": seed,
            **{name: record.values[name] for name in ("accuracy", "validation", "converged", "parameters")},
            "seconds": record.provenance["seconds"],
        }
        for method in compared_methods()
        for seed, record in student_records(run, method.name).items()
    )


def paper_values() -> dict[str, float]:
    """Give the paper's mean accuracies on digits by method, percent."""
    return {chosen_form() if name == "ntkd" else name: mean for name, (mean, _) in PAPER.items()}


def summary_table(table: pd.DataFrame, paper: Mapping[str, float]) -> pd.DataFrame:
    """Average the scores over seeds."""
    rows = [
        _summary_row(name, part, paper.get(name, np.nan))
        for name, part in table.groupby("method", sort=False)
    ]
    return pd.DataFrame(rows)


def _summary_row(name: str, part: pd.DataFrame, paper: float) -> dict[str, object]:
    low, high = interval_ends(list(part["accuracy"]))
    return {
        "method": name,
        "label": part["label"].iloc[0],
        "mean": part["accuracy"].mean(),
        "low": low,
        "high": high,
        "std": part["accuracy"].std(ddof=1) if len(part) > 1 else np.nan,
        "paper": paper,
        "parameters": part["parameters"].iloc[0],
        "seconds": part["seconds"].mean(),
    }


def differences(table: pd.DataFrame) -> pd.DataFrame:
    """Compare students seed by seed."""
    by_method = {name: part.set_index("seed")["accuracy"] for name, part in table.groupby("method")}
    by_method["ntkd"] = by_method[chosen_form()]
    return pd.DataFrame(
        gap_row(by_method, pair, f"{student_label(pair[0])} − {student_label(pair[1])}") for pair in PAIRS
    )


def gap_row(by_method: Mapping[str, pd.Series], pair: tuple[str, str], label: str) -> dict[str, object]:
    """Compare two students seed by seed."""
    greater, less = pair
    gaps = list((by_method[greater] - by_method[less]).dropna())  # of the seeds that both have
    low, high = interval_ends(gaps)
    found = {"mean": mean(gaps), "low": low, "high": high, "smallest": min(gaps), "seeds": len(gaps)}
    return {"greater": greater, "less": less, "label": label, **found}


def student_label(method: str) -> str:
    """Give what figures call a student; ``ntkd`` is the chosen form."""
    labels = {m.name: m.label for m in compared_methods()}
    return {"ntkd": "NTKD", "kd": "KD", "none": "labels only"}.get(method, labels.get(method, method))


def metrics(run: Run) -> dict[str, Metric]:
    """Collect the metrics that the claim contract names, and the accuracy of every other student."""
    data = run.parameters.data
    names = [*(m.name for m in compared_methods()), "ntkd"]
    return {student_metric(n): metric_of(student_records(run, n), "accuracy", data) for n in names}


def student_metric(name: str) -> str:
    """Name the metric of a student of digits."""
    return f"ntkd.{'random.mnist' if name == 'f8' else 'mnist'}.{name}.accuracy"


def teachers(run: Run) -> pd.DataFrame:
    """List the teachers and how well their compressed tangent kernel stands for the exact one."""
    prefix = run.parameters.data
    rows = []
    for seed in run.parameters.all_seeds:
        teacher = run.records[f"{prefix}/teacher/trained/seed={seed}"]
        tangent = run.records[f"{prefix}/tangent/trained/seed={seed}"]
        kernel = {k: tangent.values[k] for k in ("cosine", "relative_error", "mean_diagonal")}
        seconds = teacher.provenance["seconds"] + tangent.provenance["seconds"]
        rows.append({"seed": seed, "accuracy": teacher.values["accuracy"], **kernel, "seconds": seconds})
    return pd.DataFrame(rows)


def curves(run: Run, methods: tuple[str, ...]) -> pd.DataFrame:
    """Average validation curves over seeds."""
    rows = []
    for method in methods:
        values = np.array([record.values["curve"] for record in student_records(run, method).values()])
        epochs = np.linspace(0, run.parameters.epochs, values.shape[1] + 1)[1:]
        for epoch, column in zip(epochs, values.T, strict=True):
            rows.append(
                {
                    "method": student_label(method),
                    "epoch": epoch,
                    "mean": column.mean(),
                    "low": column.min(),
                    "high": column.max(),
                }
            )
    return pd.DataFrame(rows)


def filters(run: Run, method: str = "ntkd") -> np.ndarray:
    """Give the trained filters of the first seed, ``(k, 7, 7)``."""
    record = next(iter(student_records(run, method).values()))
    return record.arrays["weights.front.filters"][:, 0]


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
