"""Figures of notebook 03: recovery, sweeps, one error at a time, theory."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ntkd_lib.show import dots
from ntkd_lib.show.numbers import MINUS

BLUE, ORANGE, GREEN, RED, PURPLE = sns.color_palette("colorblind")[:5]
STYLE = {
    "uncompensated": (BLUE, "o"),
    "e2e_ft": (ORANGE, "s"),
    "ntkd_ft": (GREEN, "D"),
    "vaccinated": (PURPLE, "^"),
}


def draw_recovery(scores: pd.DataFrame, summary: pd.DataFrame) -> Figure:
    """Draw test accuracy after each way to recover: a dot a device, the mean, the paper's value."""
    figure, axes = plt.subplots(figsize=(7.2, 0.36 * len(summary) + 1.3))
    axes.axvline(scores["ideal"].mean(), color=plt.rcParams["axes.edgecolor"], linewidth=1, linestyle=":")
    dots.draw_scores(axes, summary, [scores[scores["name"] == name]["accuracy"] for name in summary["name"]])
    axes.set_xlabel("test accuracy (%)")
    _key(axes, {"ours: mean, 95 % interval, devices": ("o", BLUE), "paper": ("D", ORANGE)})
    return figure


def _key(axes: Axes, entries: dict[str, tuple[str, object]]) -> None:
    handles = dots.key_handles(entries)
    axes.figure.legend(handles=handles, loc="outside upper left", ncols=len(handles))


def draw_differences(gaps: pd.DataFrame) -> Figure:
    """Draw paired differences with their intervals."""
    return dots.draw_differences(gaps, "test accuracy (points)", row_height=0.4)


def draw_sweep(rows: pd.DataFrame, severity: float) -> Figure:
    """Draw accuracy and the share won back against error strength."""
    figure, (above, below) = plt.subplots(2, 1, figsize=(7.2, 6.0), sharex=True)
    for way, part in rows.groupby("way", sort=False):
        _line(above, part, ("mean", "low", "high"), way)
        if way in {"e2e_ft", "ntkd_ft"}:
            _line(below, part, ("share", "share_low", "share_high"), way)
    for axes in (above, below):
        axes.axvline(severity, color=plt.rcParams["axes.edgecolor"], linewidth=1, linestyle=":")
    below.axhline(50, color=plt.rcParams["axes.edgecolor"], linewidth=1)
    above.set_ylabel("test accuracy (%)")
    below.set(ylabel="won back (%)", ylim=(-20, 120))  # where little is lost, shares are mostly noise
    above.set_xlim(left=0)
    below.set_xlabel("error strength (%); dotted: where the paper's drop is met")
    above.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    return figure


def _line(axes: Axes, part: pd.DataFrame, columns: tuple[str, str, str], way: str) -> None:
    colour, marker = STYLE[way]
    mean, low, high = (part[column] for column in columns)
    axes.plot(part["x"], mean, marker=marker, color=colour, label=part["label"].iloc[0])
    axes.fill_between(part["x"], low, high, color=colour, alpha=0.2, linewidth=0)


def draw_captures(rows: pd.DataFrame) -> Figure:
    """Draw accuracy against the number of captures."""
    figure, axes = plt.subplots(figsize=(7.2, 3.6))
    for way, part in rows.groupby("way", sort=False):
        _line(axes, part, ("mean", "low", "high"), way)
    axes.set_xscale("log")
    axes.set_xlabel("captured training images")
    axes.set_ylabel("test accuracy (%)")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3)
    return figure


def draw_tornado(rows: pd.DataFrame) -> Figure:
    """Draw what each error costs by itself, the most costly on top."""
    figure, axes = plt.subplots(figsize=(7.2, 0.42 * len(rows) + 1.1))
    places, lines = np.arange(len(rows)), plt.rcParams["axes.edgecolor"]
    for end, offset, colour in (("first", -0.19, BLUE), ("second", 0.19, ORANGE)):
        spread = [rows[end] - rows[f"{end}_low"], rows[f"{end}_high"] - rows[end]]
        axes.barh(places + offset, rows[end], 0.36, color=colour, edgecolor="none", label=f"{end} magnitude")
        axes.errorbar(rows[end], places + offset, xerr=spread, fmt="none", ecolor=lines, elinewidth=1.2)
    axes.axvline(0, color=plt.rcParams["axes.edgecolor"], linewidth=1)
    axes.set_yticks(places, rows["error"])
    axes.invert_yaxis()
    axes.set_xlabel("change of validation accuracy (points)")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    return figure


def draw_theory(table: pd.DataFrame, slopes: pd.DataFrame) -> Figure:
    """Draw the relative change of the tangent kernel against the number of filters."""
    figure, axes = plt.subplots(figsize=(7.2, 4.2))
    fitted = slopes.set_index("label")["slope"]
    markers = iter("osD")
    for label, part in table.groupby("label", sort=False):
        logs = part.assign(change=np.log10(part["change"])).groupby("filters")["change"]
        mean, low, high = (10**values for values in (logs.mean(), logs.min(), logs.max()))
        (line,) = axes.plot(
            mean.index,
            mean,
            marker=next(markers),
            label=f"{label}: slope {fitted[label]:.2f}".replace("-", MINUS),
        )
        axes.fill_between(mean.index, low, high, color=line.get_color(), alpha=0.15, linewidth=0)
    ends = np.array([table["filters"].min(), table["filters"].max()])
    start = table[(table["reading"] == "total") & (table["filters"] == ends[0])]["change"].median()
    axes.plot(
        ends, start * ends[0] / ends, color=plt.rcParams["axes.edgecolor"], linestyle=":", label="slope −1"
    )
    axes.set(xscale="log", yscale="log", xlabel="filters", ylabel="relative change of the kernel")
    figure.legend(loc="outside upper left", ncols=2)
    return figure


def draw_calibration(trials: pd.DataFrame, target: float) -> Figure:
    """Draw the mean drop at each strength that was tried."""
    figure, axes = plt.subplots(figsize=(7.2, 3.0))
    axes.plot(trials["strength"], trials["drop"], marker="o")
    axes.axhline(target, color=ORANGE, linewidth=1.2, label=f"the paper's device: {target:g} points")
    axes.set_xlabel("error strength (%)")
    axes.set_ylabel("mean drop (points)")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1))
    return figure
