"""What notebook 01 shows: scores, differences, teachers, settings, and the metrics of claims."""

from collections.abc import Mapping
from itertools import combinations
from typing import Literal

import pandas as pd

from ntkd_lib.chapters.classification import methods, protocols
from ntkd_lib.chapters.classification.studies.alignment import alignment_metrics, kernel_alignment
from ntkd_lib.chapters.classification.studies.random_filters_page import limit_metric
from ntkd_lib.chapters.classification.studies.sizes import QUARTER_DROP, quarter_drop
from ntkd_lib.chapters.classification.studies.stage1 import RANK_CORRELATION
from ntkd_lib.chapters.classification.studies.stage1_page import rank_metric
from ntkd_lib.chapters.optical_students import classification_teachers as teaching
from ntkd_lib.chapters.optical_students.classification_methods import DIGITS
from ntkd_lib.chapters.run import Run
from ntkd_lib.lab import Metric, band, metric, paired, recorded_metrics, seed_rows, summarise
from ntkd_lib.show import ACCURACY, DIFFERENCE, INTERVAL, PAPER_SCORE, PARAMETERS, SEEDS, STD, Column

PAPER = {
    "mnist": {"none": 91.4, "kd": 95.9, "ntkd": 97.3, "f8": 96.12},
    "cifar10": {"none": 56.4, "kd": 72.5, "ntkd": 75.6, "f8": 36.73},
}
SHORT = {"none": "labels only", "kd": "KD", "ntkd": "NTKD", "ntkd_kd": "NTKD + KD"}
PAIRS = {
    "mnist": (
        ("ntkd", "kd"),
        ("ntkd", "none"),
        ("kd", "none"),
        ("ntkd", "none_tuned"),
        ("ntkd", "ntkd_untrained_teacher"),
        ("ntkd", "ntkd_trace_only"),
        ("none", "random_frozen"),
        ("ntkd_hidden", "kd_hidden"),
        ("kd_hidden", "none_hidden"),
    ),
    "cifar10": tuple((greater, less) for less, greater in combinations(SHORT, 2)),
}
FEW_PAIRS = tuple((greater, less) for less, greater in combinations(methods.TRANSFERS, 2))
RECORDED = {"mnist": protocols.STUDENTS, "cifar10": ("none", "kd", "ntkd", "ntkd_kd", "f8", "ideal_lens")}
FILES = {"mnist": "01_digits-six-epochs", "cifar10": "01_ntkd_classification"}
SHOWN = ["method", "label", "seed", "accuracy", "validation", "converged", "parameters", "seconds"]

PAIR, SMALLEST = Column("Pair", "{label}"), Column("Smallest", "{smallest:+.2f}")
RECORDED_SCORES = (Column("Student", "{label}"), ACCURACY, INTERVAL, STD, PAPER_SCORE, SEEDS)
SCORES = (*RECORDED_SCORES[:-1], PARAMETERS, Column("Seconds, beside other work", "{seconds:.0f}"))
DIFFERENCES = (PAIR, *DIFFERENCE, SMALLEST, SEEDS)
GAPS = (PAIR, Column("First", "{first:.2f} %"), Column("Second", "{second:.2f} %"), *DIFFERENCES[1:])
CROSSED = {"unmatched": "settings of NTKD in the first search", "labels_point": "settings of labels in it"}
CROSSINGS = (
    Column("Both trained at the", "{label}"),
    Column("Labels alone", "{second:.2f} %"),
    Column("NTKD", "{first:.2f} %"),
    *GAPS[3:5],
    GAPS[-1],
)
DIGIT_TEACHERS = (
    *(Column("Seed", "{seed}"), Column("Test accuracy", "{accuracy:.2f} %")),
    *(
        Column("Compressed against exact, cosine", "{cosine:.5f}"),
        Column("Kernel error", "{relative_error:.4f}"),
    ),
    Column("Mean diagonal", "{mean_diagonal:,.0f}"),
    Column("Seconds (training + kernel)", "{seconds_teacher:.1f} + {seconds:.1f}"),
)
COLOUR_TEACHERS = (
    *(Column("Teacher", "{network}"), Column("Test accuracy", "{accuracy:.2f} %")),
    *(Column("Weights", "{parameters:,}"), Column("Compressed against exact, cosine", "{cosine:.4f}")),
    Column("off the diagonal", "{cosine_off_diagonal:.4f}"),
    Column("Kernel error", "{relative_error:.3f}"),
    Column("Seconds (training + sketch)", "{seconds_teacher:.0f} + {seconds:.0f}"),
)
LIMIT = (Column("Training images", "{images:,}"), Column("Accuracy", "{accuracy:.2f} %"))


def kind_of(data: str) -> str:
    """Name a data set as metrics do."""
    return "mnist" if data.startswith("mnist") else "cifar10"


def scores(run: Run, data: str) -> pd.DataFrame:
    """List the scores of all students of a data set with all labels."""
    table = methods.students(run, data, label_share=1)
    colours = {method.name: method.label for method in methods.colour_methods(run.parameters)}
    labels = methods.digit_labels() if kind_of(data) == "mnist" else colours
    return table.assign(label=table["method"].map(labels))[SHOWN]


def summary(table: pd.DataFrame, data: str) -> pd.DataFrame:
    """Average the scores of a data set over seeds, beside the paper's."""
    paper = dict(PAPER[kind_of(data)])
    if kind_of(data) == "mnist":
        paper[DIGITS.chosen_form()] = paper.pop("ntkd")
    shown = {"label": "first", "parameters": "first", "seconds": "mean"}
    rest = table.groupby("method", sort=False).agg(shown)
    means = summarise(table, "accuracy", ["method"]).join(rest, on="method")
    return means.assign(paper=means["method"].map(paper))


def differences(run: Run, data: str) -> pd.DataFrame:
    """Compare students of a data set seed by seed, with all labels and with few."""
    return compare(_with_chosen(methods.students(run, data), data), data)


def _with_chosen(table: pd.DataFrame, data: str) -> pd.DataFrame:
    """Rename the chosen form of the kernel loss on digits to "ntkd"."""
    return table.replace({"method": {DIGITS.chosen_form(): "ntkd"}}) if kind_of(data) == "mnist" else table


def compare(table: pd.DataFrame, data: str) -> pd.DataFrame:
    """Compare pairs of students seed by seed: a row per pair and share of labels, with the two means."""
    parts = []
    for share, part in table.groupby("label_share", sort=False):
        pairs = PAIRS[kind_of(data)] if share == 1 else FEW_PAIRS
        gaps = paired(part, "accuracy", pairs)
        means = part.groupby("method")["accuracy"].mean()
        labels = {**methods.digit_labels(), **SHORT}
        words = gaps["greater"].map(labels) + " − " + gaps["less"].map(labels) + of_labels(share)
        pair = {"first": gaps["greater"].map(means), "second": gaps["less"].map(means)}
        parts.append(gaps.assign(label=words, label_share=share, **pair))
    return pd.concat(parts, ignore_index=True)


def of_labels(share: float) -> str:
    """Write how many labels are known, if not all are."""
    return "" if share == 1 else f", {100 * share:g} % of labels"


def metrics(run: Run) -> dict[str, Metric]:
    """Collect the metrics that the claim contract names, and the accuracy of every other student."""
    digits, colours = methods.students(run, run.parameters.data), methods.students(run, run.parameters.colour)
    ntkd = digits[digits["method"] == DIGITS.chosen_form()].assign(method="ntkd")
    named = digits[(digits["label_share"] == 1) | digits["method"].isin(methods.TRANSFERS)]
    accuracies = {
        methods.metric_name(kind, method, share): metric(part, "accuracy")
        for kind, table in (("mnist", named), ("mnist", ntkd), ("cifar10", colours))
        for (method, share), part in table.groupby(["method", "label_share"], sort=False)
    }
    if run.parameters.strong_teacher == "compact":  # no stronger one than students have
        accuracies.pop(methods.metric_name("cifar10", "ntkd_strong_teacher"))
    side = {QUARTER_DROP: quarter_drop(run), RANK_CORRELATION: rank_metric(run), **limit_metric(run)}
    return accuracies | side | alignment_metrics(kernel_alignment(run))


def recorded(data: Literal["mnist", "cifar10"]) -> pd.DataFrame:
    """List the recorded accuracies of students: a row per student, share of labels and seed."""
    names = [(name, 1.0) for name in RECORDED[data]]
    names += [(name, share) for share in methods.SHARES for name in methods.TRANSFERS]
    return recorded_rows(FILES[data], {(n, share): methods.metric_name(data, n, share) for n, share in names})


def recorded_rows(file: str, names: Mapping[tuple[str, float], str]) -> pd.DataFrame:
    """List the accuracies of a recording, by the metric of each student and share of labels."""
    return seed_rows(recorded_metrics(file), names, ["method", "label_share", "seed", "accuracy"])


def recorded_scores() -> pd.DataFrame:
    """Average the recorded accuracies on colour images over seeds, beside the paper's."""
    means = summarise(recorded("cifar10"), "accuracy", ["method", "label_share"])
    if means.empty:
        return means
    labels = {name: method.label for name, method in methods.COLOURS.methods.items()}
    words = means["method"].map(labels) + means["label_share"].map(of_labels)
    paper = means["method"].map(PAPER["cifar10"]).where(means["label_share"] == 1)
    return means.assign(label=words, paper=paper)


def recorded_gaps(data: Literal["mnist", "cifar10"]) -> pd.DataFrame:
    """Compare the recorded students seed by seed, with all labels and with few."""
    table = recorded(data)
    return table if table.empty else compare(table, data)


def recorded_crossings() -> pd.DataFrame:
    """Compare NTKD with labels alone on colour images at the settings of either, seed by seed."""
    rows = []
    for point, label in CROSSED.items():
        names = {(name, 1.0): f"ntkd.cifar10.{point}.{name}.accuracy" for name in ("none", "ntkd")}
        table = recorded_rows("01_unmatched", names)
        if table["method"].nunique() == len(names):
            common = table[table.groupby("seed")["seed"].transform("size") == len(names)]
            rows.append(compare(common, "cifar10").assign(label=label))
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame()


def digit_teachers(run: Run) -> pd.DataFrame:
    """List the teachers of digits, and the errors of their compressed tangent kernels."""
    kernels = run.frame(teaching.landmark_kernel, trained=True)
    kernels = kernels.drop(columns=["data", "device", "network", "cell"])
    teachers = run.frame(teaching.teacher, data=run.parameters.data, trained=True)
    return kernels.merge(teachers, on="seed", suffixes=("", "_teacher"))


def colour_teachers(run: Run) -> pd.DataFrame:
    """List the teachers on colour images, and the errors of their sketched kernels."""
    teachers = run.frame(teaching.teacher, data=run.parameters.colour)
    return run.frame(teaching.sketched_kernel).merge(teachers, on="network", suffixes=("", "_teacher"))


def curves(run: Run, data: str, value: str, epochs: int) -> pd.DataFrame:
    """Average a curve of the training of the compared students over seeds."""
    table = _with_chosen(methods.students(run, data, label_share=1), data)
    groups = table[table["method"].isin(SHORT)].groupby("method", sort=False)
    parts = [band(part[value], epochs).assign(method=SHORT[method]) for method, part in groups]
    return pd.concat(parts, ignore_index=True).rename(columns={"at": "epoch"})
