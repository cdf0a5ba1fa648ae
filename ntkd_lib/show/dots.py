"""Dot plots that several notebooks share: scores with intervals, paired differences, and their keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

BLUE, ORANGE, GREEN = sns.color_palette("colorblind")[:3]


def draw_scores(axes: Axes, summary: pd.DataFrame, dots: Iterable[pd.Series]) -> None:
    """Draw a row for each method: a dot a seed, the mean with its interval, the paper's value."""
    for row, (method, values) in enumerate(zip(summary.itertuples(), dots, strict=True)):
        axes.scatter(values, np.full(len(values), row), s=14, color=BLUE, alpha=0.5, linewidth=0)
        axes.plot([method.low, method.high], [row, row], color=BLUE, linewidth=2.5)
        axes.plot(method.mean, row, "o", color=BLUE, markersize=6)
        if not np.isnan(method.paper):
            axes.plot(method.paper, row, "D", color=ORANGE, markersize=6, markerfacecolor="none")
    _name_rows(axes, summary["label"])


def draw_differences(gaps: pd.DataFrame, quantity: str, row_height: float = 0.36) -> Figure:
    """Draw paired differences with their intervals; that of a single seed, which has none, is hollow."""
    figure, axes = plt.subplots(figsize=(7.2, row_height * len(gaps) + 1))
    axes.axvline(0, color=plt.rcParams["axes.edgecolor"], linewidth=1)
    for row, gap in enumerate(gaps.itertuples()):
        if gap.seeds == 1:
            axes.plot(gap.mean, row, "o", color=BLUE, markersize=6, markerfacecolor="none")
            continue
        colour = GREEN if gap.low > 0 else BLUE if gap.high > 0 else ORANGE
        axes.plot([gap.low, gap.high], [row, row], color=colour, linewidth=2.5)
        axes.plot(gap.mean, row, "o", color=colour, markersize=6)
    _name_rows(axes, gaps["label"])
    axes.set_xlabel(f"difference in {quantity}")
    return figure


def key_handles(entries: Mapping[str, tuple[str, object]], *, filled: bool = False) -> list[Line2D]:
    """Make the entries of a key from markers."""
    face = {} if filled else {"markerfacecolor": "none"}
    return [
        plt.Line2D([], [], marker=marker, color=colour, linestyle="", label=label, **face)
        for label, (marker, colour) in entries.items()
    ]


def _name_rows(axes: Axes, labels: pd.Series) -> None:
    axes.set_yticks(range(len(labels)), labels)
    axes.invert_yaxis()
