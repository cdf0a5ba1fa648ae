"""Figures and tables of notebook 01."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ntkd_lib.lab.evidence import Metric
from ntkd_lib.show import dots
from ntkd_lib.show.html import Html, element, table
from ntkd_lib.show.numbers import format_value, gap_words

BLUE, ORANGE = sns.color_palette("colorblind")[:2]


def draw_accuracy(scores: pd.DataFrame, summary: pd.DataFrame) -> Figure:
    """Draw test accuracy by student: a dot a seed, the mean with its interval, the paper's value."""
    figure, axes = plt.subplots(figsize=(7.2, 0.34 * len(summary) + 1.2))
    dots.draw_scores(
        axes, summary, [scores[scores["method"] == name]["accuracy"] for name in summary["method"]]
    )
    axes.set_xlabel("test accuracy (%)")
    _key(axes, {"ours: mean, 95 % interval, seeds": ("o", BLUE), "paper": ("D", ORANGE)})
    return figure


HEADLINE = {
    "ntkd.mnist.none.accuracy": ("labels only", 91.4),
    "ntkd.mnist.kd.accuracy": ("soft-label KD", 95.9),
    "ntkd.mnist.ntkd.accuracy": ("NTKD", 97.3),
    "ntkd.mnist.none_tuned.accuracy": ("labels only, equal time, augmented", None),
}


def draw_headline(metrics: Mapping[str, Metric]) -> Figure:
    """Draw the README's figure: a few students' test accuracy beside what the paper reports."""
    figure, axes = plt.subplots(figsize=(7.2, 2.6))
    for row, (name, (_, paper)) in enumerate(HEADLINE.items()):
        values = metrics[name].values
        axes.scatter(values, np.full(len(values), row), s=16, color=BLUE, alpha=0.5, linewidth=0)
        axes.plot(np.mean(values), row, "o", color=BLUE, markersize=7)
        if paper is not None:
            axes.plot(paper, row, "D", color=ORANGE, markersize=7, markerfacecolor="none")
    axes.set_yticks(range(len(HEADLINE)), [label for label, _ in HEADLINE.values()])
    axes.invert_yaxis()
    axes.set_xlabel("MNIST test accuracy (%), hybrid optical student, 50,930 parameters")
    _key(axes, {"ours: mean and seeds": ("o", BLUE), "NTKD paper": ("D", ORANGE)})
    return figure


def _key(axes: Axes, entries: dict[str, tuple[str, object]]) -> None:
    handles = dots.key_handles(entries)
    axes.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=len(handles))


def draw_differences(gaps: pd.DataFrame) -> Figure:
    """Draw paired differences of test accuracy with their intervals."""
    return dots.draw_differences(gaps, "test accuracy (points)")


def draw_alignment(alignment: pd.DataFrame) -> Figure:
    """Draw how near the students' kernels are to the teacher's in direction and in size."""
    figure, (direction, size) = plt.subplots(1, 2, figsize=(7.2, 3.2), sharey=True)
    labels = list(dict.fromkeys(alignment["label"]))
    rows = alignment["label"].map(labels.index)
    for axes, name in ((direction, "alignment"), (size, "size")):
        axes.scatter(alignment[name], rows, s=18, color=BLUE, alpha=0.6, linewidth=0)
        means = alignment.groupby("label", sort=False)[name].mean()
        axes.plot(means, range(len(labels)), "|", color=ORANGE, markersize=14, markeredgewidth=2)
    direction.set_yticks(range(len(labels)), labels)
    direction.invert_yaxis()
    direction.set_xlabel("centred cosine")
    size.set_xlabel("size, student / teacher")
    size.set_xlim(left=0)
    return figure


def draw_filters(filters: np.ndarray) -> Figure:
    """Draw signed filters and the non-negative PSF pairs that realise them."""
    peak = np.abs(filters).max()
    rows = {
        "filter": (filters / peak, "RdBu_r", -1),
        "PSF +": (np.maximum(filters, 0) / peak, "viridis", 0),
        "PSF −": (np.maximum(-filters, 0) / peak, "viridis", 0),
    }
    figure, panels = plt.subplots(3, len(filters), figsize=(7.2, 3.2))
    for line, (name, (images, colours, low)) in zip(panels, rows.items(), strict=True):
        for axes, image in zip(line, images, strict=True):
            drawn = axes.imshow(image, cmap=colours, vmin=low, vmax=1)
            axes.set(xticks=[], yticks=[])
            axes.grid(visible=False)
        line[0].set_ylabel(name)
        figure.colorbar(drawn, ax=list(line), shrink=0.8)
    return figure


def filter_data(filters: np.ndarray) -> pd.DataFrame:
    """List the entries of filters, one a row."""
    index = np.indices(filters.shape).reshape(3, -1)
    return pd.DataFrame(
        dict(zip(("filter", "row", "column"), index, strict=True)) | {"value": filters.ravel()}
    )


def score_table(summary: pd.DataFrame) -> Html:
    """Show the students' scores as a table."""
    rows = [
        (
            student.label,
            format_value(student.mean, "percent"),
            *spread(student),
            "–" if np.isnan(student.paper) else f"{student.paper:g} %",
            f"{student.parameters:,}",
            f"{student.seconds:.1f}",
        )
        for student in summary.itertuples()
    ]
    headers = ("Student", "Test accuracy", "95 % interval", "Std", "Paper", "Parameters", "Seconds a seed")
    return table(headers, rows, caption="All students, mean over seeds")


def spread(student: Any) -> tuple[str, str]:
    """Write interval and standard deviation, which a single seed has not."""
    if np.isnan(student.std):
        return "–", "–"
    return f"[{student.low:.2f}, {student.high:.2f}]", f"{student.std:.2f}"


def teacher_table(teachers: pd.DataFrame) -> Html:
    """Show teachers and the quality of their compressed kernels."""
    rows = [
        (
            str(row.seed),
            format_value(row.accuracy, "percent"),
            f"{row.cosine:.5f}",
            f"{row.relative_error:.4f}",
            f"{row.mean_diagonal:,.0f}",
            f"{row.seconds:.1f}",
        )
        for row in teachers.itertuples()
    ]
    headers = ("Seed", "Test accuracy", "Kernel cosine", "Kernel error", "Mean diagonal", "Seconds")
    return table(headers, rows, caption="Teachers")


def answer(gaps: pd.DataFrame) -> Html:
    """Say whether NTKD > KD > labels only holds, in words and numbers."""
    by_pair = {(row.greater, row.less): row for row in gaps.itertuples()}
    parts = [
        f"{label}: {gap_words(by_pair[pair])}"
        for label, pair in (
            ("NTKD minus soft-label KD", ("ntkd", "kd")),
            ("soft-label KD minus labels only", ("kd", "none")),
            ("NTKD minus labels only with the same training time", ("ntkd", "none_tuned")),
        )
    ]
    return element("p", element("strong", "Measured here. "), "; ".join(parts) + ".")
