"""Figures and tables of notebook 02: scores, differences, training, and the metrics of claims."""

import pandas as pd

from ntkd_lib.chapters.optical_students.mask_methods import MASKS, METHODS
from ntkd_lib.chapters.optical_students.masks import student, tangent, teacher
from ntkd_lib.chapters.run import Run
from ntkd_lib.chapters.segmentation.studies import energy
from ntkd_lib.lab import Metric, band, metric, paired, summarise
from ntkd_lib.show import INTERVAL, PAPER_SCORE, PARAMETERS, STD, Column

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
LABELS = {name: method.label for name, method in METHODS.items()}
SHORT = LABELS | {"ntkd": "NTKD", "kd": "KD", "ntkd_projected": "projected", "ntkd_normalised": "pooled"}
STUDENTS = (
    Column("Student", "{label}"),
    *(Column("Test mIoU", "{mean:.2f} %"), INTERVAL, STD),
    *(Column("Boundary F", "{boundary:.1f} %"), PAPER_SCORE, PARAMETERS),
)
DIFFERENCES = (
    *(Column("Students", "{label}"), Column("Difference", "{mean:+.2f} points")),
    Column("95 % interval", "[{low:+.2f}, {high:+.2f}]"),
    Column("First is better", "in {wins} of {seeds} seeds"),
)
TEACHER = (
    Column("Kernel of", "{summary} logits"),
    Column("Test mIoU", "{miou:.2f} %"),
    Column("Boundary F", "{boundary:.1f} %"),
    PARAMETERS,
    Column("Compressed against exact, cosine", "{cosine:.4f}"),
    Column("Kernel error", "{relative_error:.3f}"),
    Column("Seconds", "{seconds:.0f}"),
)


def scores(run: Run) -> pd.DataFrame:
    """List the scores of all students: one row per method and seed."""
    table = run.frame(student, data=run.parameters.data)
    chosen = MASKS.chosen_form()
    table.insert(0, "label", table["method"].map(LABELS | {chosen: f"{LABELS[chosen]} (chosen)"}))
    return table


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Average the scores over seeds, with the paper's values."""
    columns = {"label": "first", "boundary": "mean", "parameters": "first", "seconds": "mean"}
    details = table.groupby("method", sort=False).agg(columns)
    paper = {MASKS.method(name).name: value for name, value in PAPER.items()}
    means = summarise(table, "miou", ["method"]).merge(details, on="method")
    return means.assign(paper=means["method"].map(paper))


def differences(table: pd.DataFrame) -> pd.DataFrame:
    """Compare students seed by seed."""
    gaps = paired(_with_ntkd(table), "miou", PAIRS)
    return gaps.assign(label=gaps["greater"].map(SHORT) + " − " + gaps["less"].map(SHORT))


def _with_ntkd(table: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([table, table[table["method"] == MASKS.chosen_form()].assign(method="ntkd")])


def metrics(run: Run) -> dict[str, Metric]:
    """Collect the metrics that the claim contract names, and the scores of all other students."""
    names = {name: f"ntkd.carvana.{name}.miou" for name in (*METHODS, "ntkd")}
    names |= {"f8": "ntkd.random.carvana.f8.miou"}
    names |= {"many": f"ntkd.random.carvana.f{run.parameters.many}.miou"}
    table = _with_ntkd(scores(run))
    students = {names[name]: metric(part, "miou") for name, part in table.groupby("method", sort=False)}
    teachers = run.frame(teacher, data=run.parameters.data).drop(columns="converged")
    return {**students, "ntkd.carvana.teacher.miou": metric(teachers, "miou"), **energy.metric(run)}


def curves(table: pd.DataFrame, methods: tuple[str, ...]) -> pd.DataFrame:
    """Average validation curves over seeds."""
    by_method = {method: table[table["method"] == MASKS.method(method).name]["curve"] for method in methods}
    parts = [band(part, 100).assign(method=SHORT[method]) for method, part in by_method.items()]
    return pd.concat(parts, ignore_index=True).rename(columns={"at": "share"})


def teacher_rows(run: Run) -> pd.DataFrame:
    """List the teacher's compressed tangent kernels, with its scores and the seconds of both."""
    kernels, teachers = (run.frame(work, data=run.parameters.data) for work in (tangent, teacher))
    rows = kernels.merge(teachers, on="data", suffixes=("", "_of_teacher"))
    return rows.assign(seconds=rows["seconds"] + rows["seconds_of_teacher"])
