"""Dot plots that several notebooks share: scores with intervals, paired differences, and their keys."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

BLUE, ORANGE, GREEN, RED, PURPLE, BROWN, PINK, GREY = sns.color_palette("colorblind")[:8]


def draw_scores(
    table: pd.DataFrame, means: pd.DataFrame, value: str, label: str, by: str = "method", each: str = "seeds"
) -> Figure:
    """Draw a row per method: a dot per seed, the mean with its interval, the paper's value."""
    figure, axes = plt.subplots(figsize=(7.2, 0.34 * len(means) + 1.2))
    for row, method in enumerate(means.itertuples()):
        values = table[table[by] == getattr(method, by)][value]
        axes.scatter(values, np.full(len(values), row), s=14, color=BLUE, alpha=0.5, linewidth=0)
        axes.plot([method.low, method.high], [row, row], color=BLUE, linewidth=2.5)
        axes.plot(method.mean, row, "o", color=BLUE, markersize=6)
        if not np.isnan(method.paper):
            axes.plot(method.paper, row, "D", color=ORANGE, markersize=6, markerfacecolor="none")
    name_rows(axes, means["label"])
    axes.set_xlabel(label)
    draw_key(axes, {f"ours: mean, 95 % interval, {each}": ("o", BLUE), "paper": ("D", ORANGE)})
    return figure


def draw_differences(gaps: pd.DataFrame, quantity: str, row_height: float = 0.36) -> Figure:
    """Draw paired differences with their intervals; a single seed, which has no interval, is hollow."""
    figure, axes = plt.subplots(figsize=(7.2, row_height * len(gaps) + 1))
    axes.axvline(0, color=plt.rcParams["axes.edgecolor"], linewidth=1)
    for row, gap in enumerate(gaps.itertuples()):
        if gap.seeds == 1:
            axes.plot(gap.mean, row, "o", color=BLUE, markersize=6, markerfacecolor="none")
            continue
        colour = GREEN if gap.low > 0 else BLUE if gap.high > 0 else ORANGE
        axes.plot([gap.low, gap.high], [row, row], color=colour, linewidth=2.5)
        axes.plot(gap.mean, row, "o", color=colour, markersize=6)
    name_rows(axes, gaps["label"])
    axes.set_xlabel(f"difference in {quantity}")
    return figure


def row_axes(labels: Sequence[str], quantity: str, reference: float = 0.0) -> tuple[Figure, Axes]:
    """Set up a chart of one row per label, the first on top, with a line at a reference."""
    figure, axes = plt.subplots(figsize=(7.2, 0.32 * len(labels) + 1.2))
    axes.axvline(reference, color=plt.rcParams["axes.edgecolor"], linewidth=1)
    name_rows(axes, labels)
    axes.set_xlabel(quantity)
    return figure, axes


def draw_gap_dots(table: pd.DataFrame, quantity: str) -> Figure:
    """Draw differences by `label`: a marker per `gap`, its shape by `image`, and a bar at the mean."""
    means = table.groupby("label", sort=False)["gap"].mean()
    figure, axes = row_axes(list(means.index), quantity)
    markers = dict(zip(dict.fromkeys(table["image"]), "osD^", strict=False))
    for image, part in table.groupby("image", sort=False):
        rows = part["label"].map(list(means.index).index)
        axes.scatter(part["gap"], rows, marker=markers[image], s=22, color=BLUE, alpha=0.6, linewidth=0)
    axes.plot(means, range(len(means)), "|", color=ORANGE, markersize=15)
    draw_key(axes, {image: (marker, BLUE) for image, marker in markers.items()})
    return figure


def draw_key(
    axes: Axes, entries: Mapping[str, tuple[str, object]], lines: Mapping[str, object] | None = None
) -> None:
    """Draw a key of markers, and of dashed lines by colour, above a chart."""
    handles = key_handles(entries, filled=True)
    handles += [plt.Line2D([], [], color=c, linestyle="--", label=name) for name, c in (lines or {}).items()]
    axes.figure.legend(handles=handles, loc="outside upper left", ncols=2)


def key_handles(entries: Mapping[str, tuple[str, object]], *, filled: bool = False) -> list[Line2D]:
    """Build the entries of a key from markers."""
    face = {} if filled else {"markerfacecolor": "none"}
    return [
        plt.Line2D([], [], marker=marker, color=colour, linestyle="", label=label, **face)
        for label, (marker, colour) in entries.items()
    ]


def name_rows(axes: Axes, labels: Sequence[str] | pd.Series) -> None:
    """Name the rows of a chart, the first on top."""
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.4, -0.6)
