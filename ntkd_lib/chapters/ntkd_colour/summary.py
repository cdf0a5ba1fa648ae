"""Summary of the colour images: scores, paired differences, teachers, curves, and their metrics."""

from __future__ import annotations

from itertools import combinations
from statistics import mean

import numpy as np
import pandas as pd
from sklearn.metrics import confusion_matrix

from ntkd_lib.chapters.ntkd_classification.summary import gap_row, summary_table
from ntkd_lib.chapters.ntkd_colour.methods import FEW_LABEL_STUDENTS, metric_name, of_labels
from ntkd_lib.chapters.ntkd_colour.plan import (
    EMBEDDED,
    colour_seeds,
    shares_of,
    students_of,
    teacher_names,
)
from ntkd_lib.chapters.ntkd_colour.settings import chosen_settings, trials
from ntkd_lib.chapters.run import Run
from ntkd_lib.data.load import load
from ntkd_lib.lab.cells import Record
from ntkd_lib.lab.evidence import Metric, metric_of
from ntkd_lib.lab.search import space_rows

PAPER = {"none": 56.4, "kd": 72.5, "ntkd": 75.6, "f8": 36.73}
SHORT = {"none": "labels only", "kd": "KD", "ntkd": "NTKD", "ntkd_kd": "NTKD + KD"}


def records_of(run: Run, method: str, share: float = 1) -> dict[int, Record]:
    """Give the records of a student by seed."""
    tag = "" if share == 1 else f"/labels={share}"
    prefix = f"{run.parameters.colour}/{method}{tag}"
    return {seed: run.records[f"{prefix}/seed={seed}"] for seed in colour_seeds(run.parameters)}


def scores(run: Run) -> pd.DataFrame:
    """List the scores of all students on colour images."""
    return pd.DataFrame(
        {
            "method": method.name,
            "label": method.label,
            "seed": seed,
            **{name: record.values[name] for name in ("accuracy", "validation", "converged", "parameters")},
            "seconds": record.provenance["seconds"],
        }
        for method in students_of(run.parameters)
        for seed, record in records_of(run, method.name).items()
    )


def averaged(table: pd.DataFrame) -> pd.DataFrame:
    """Average the scores over seeds, beside the paper's values."""
    return summary_table(table, PAPER)


def differences(run: Run) -> pd.DataFrame:
    """Compare students seed by seed, with all labels and with few."""
    rows = []
    for share in (1, *shares_of(run.parameters)):
        names = FEW_LABEL_STUDENTS if share < 1 else _compared(run)
        by_method = {
            name: pd.Series({s: r.values["accuracy"] for s, r in records_of(run, name, share).items()})
            for name in names
        }
        for less, greater in combinations(names, 2):
            words = f"{SHORT[greater]} − {SHORT[less]}" + of_labels(share)
            rows.append({**gap_row(by_method, (greater, less), words), "share": share})
    return pd.DataFrame(rows)


def teachers(run: Run) -> pd.DataFrame:
    """List the teachers, and how well their sketched kernel stands for the exact one."""
    rows = []
    for name in teacher_names(run.parameters):
        teacher = run.records[f"{run.parameters.colour}/teacher/{name}"]
        tangent = run.records[f"{run.parameters.colour}/tangent/{name}"]
        kernel = {k: tangent.values[k] for k in ("cosine", "cosine_off_diagonal", "relative_error")}
        rows.append(
            {
                "network": name,
                "accuracy": teacher.values["accuracy"],
                "parameters": teacher.values["parameters"],
                **kernel,
                "training": teacher.provenance["seconds"],
                "sketching": tangent.provenance["seconds"],
            }
        )
    return pd.DataFrame(rows)


def curves(run: Run, value: str) -> pd.DataFrame:
    """Average a curve of training over seeds."""
    rows = []
    for method in _compared(run):
        values = np.array([record.values[value] for record in records_of(run, method).values()])
        epochs, label = np.linspace(0, run.parameters.colour_epochs, values.shape[1] + 1)[1:], SHORT[method]
        parts = zip(epochs, values.mean(0), values.min(0), values.max(0), strict=True)
        rows += [{"method": label, "epoch": e, "mean": m, "low": a, "high": b} for e, m, a, b in parts]
    return pd.DataFrame(rows)


def embedding(run: Run) -> pd.DataFrame:
    """Give the plane of the features of test images, first seed."""
    seed = colour_seeds(run.parameters)[0]
    arrays = run.records[f"{run.parameters.colour}/embedding/seed={seed}"].arrays
    classes = np.array(load(run.parameters.colour, "test").classes)[arrays["labels"]]
    return pd.concat(
        pd.DataFrame({"method": SHORT[m], "class": classes, "x": arrays[m][:, 0], "y": arrays[m][:, 1]})
        for m in EMBEDDED
    )


def confusions(run: Run) -> pd.DataFrame:
    """Count what test images of each class were taken for, first seed."""
    test = load(run.parameters.colour, "test")
    rows = []
    for method in EMBEDDED:
        guesses = next(iter(records_of(run, method).values())).arrays["guesses"]
        labels = range(len(test.classes))
        table = 100 * confusion_matrix(
            test.labels[: len(guesses)].numpy(), guesses, labels=labels, normalize="true"
        )
        rows += [
            {
                "method": SHORT[method],
                "true": test.classes[i],
                "guessed": test.classes[j],
                "share": table[i, j],
            }
            for i in labels
            for j in labels
        ]
    return pd.DataFrame(rows)


def filters(run: Run) -> np.ndarray:
    """Give the trained filters of the NTKD student, first seed, ``(k, 3, 7, 7)``."""
    return next(iter(records_of(run, "ntkd").values())).arrays["weights.front.filters"]


def settings_rows(run: Run) -> pd.DataFrame:
    """List the settings of all students, and how many trials chose them."""
    rows = []
    for method in students_of(run.parameters):
        own = [t for t in trials() if t["method"] == method.settings_of]
        words = ", ".join(f"{k} {v:g}" for k, v in chosen_settings(method.settings_of).items())
        best = max(mean(t["validation"]) for t in own)
        rows.append({"label": method.label, "settings": words, "trials": len(own), "validation": best})
    return pd.DataFrame(rows)


def searched(run: Run) -> list[tuple[str, str]]:
    """List what the searches of the run's students draw from."""
    return space_rows(students_of(run.parameters))


def metrics(run: Run) -> dict[str, Metric]:
    """Collect the metrics on colour images."""
    found = {}
    for method in students_of(run.parameters):
        found[metric_name(method.name)] = metric_of(
            records_of(run, method.name), "accuracy", run.parameters.colour
        )
    if run.parameters.strong_teacher == "compact":
        found.pop("ntkd.cifar10.ntkd_strong_teacher.accuracy", None)
    for share in shares_of(run.parameters):
        for name in FEW_LABEL_STUDENTS:
            few = metric_of(records_of(run, name, share), "accuracy", run.parameters.colour)
            found[metric_name(name, share)] = few
    return found


def _compared(run: Run) -> list[str]:
    """Name the students of the main comparison that the run has."""
    return [method.name for method in students_of(run.parameters) if method.name in SHORT]
