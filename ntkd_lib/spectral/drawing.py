"""Drawings of a report: the spectrum of labels, fit and shrinkage, and the map of modes."""

import numpy as np

from ntkd_lib.imports import extra

with extra("spectral"):
    import matplotlib.pyplot as plt
    import pandas as pd
    import seaborn as sns
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

KINDS = {"signal": "o", "under-learned": "v", "noise": "."}
_FLOOR = 1e-3  # of the largest coefficient; smaller ones are drawn here


def draw_spectrum(axes: Axes, table: pd.DataFrame, kstar: int, noise: float) -> None:
    """Draw absolute coefficients of labels and fit against the mode, with cut, noise level and shrinkage."""
    blue, orange, green, *_ = sns.color_palette("colorblind")
    floor = _FLOOR * table["labels"].abs().max()
    for name, colour, marker in (("labels", blue, "o"), ("fitted", orange, "x")):
        sizes = np.maximum(table[name].abs(), floor)
        axes.scatter(table["mode"], sizes, s=9, color=colour, marker=marker, linewidth=0.8, label=name)
    axes.axhline(2 * noise, color="0.5", linestyle="--", linewidth=1.2, label="twice the noise level")
    axes.axvline(kstar + 0.5, color="0.5", linewidth=1.2, label=f"K* = {kstar}")
    axes.set(xscale="log", yscale="log", xlabel="mode, by falling eigenvalue", ylabel="|coefficient|")
    right = axes.twinx()
    right.plot(table["mode"], table["shrinkage"], color=green, label="shrinkage (right)")
    right.set(ylim=(0, 1.05), ylabel="shrinkage of the fit to labels")
    right.grid(visible=False)
    right.spines["right"].set_visible(True)
    handles = [*axes.get_legend_handles_labels()[0], *right.get_legend_handles_labels()[0]]
    axes.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=2, fontsize=9)


def draw_mode_map(axes: Axes, table: pd.DataFrame, noise: float) -> None:
    """Draw the fitted coefficient of each mode against the labels' coefficient, in noise levels above 0."""
    colours = dict(zip(KINDS, sns.color_palette("colorblind"), strict=False))
    limit = 1.1 * max(table["t"].abs().max(), table["fitted"].abs().max() / noise)
    axes.plot([-limit, limit], [-limit, limit], color="0.5", linewidth=1)
    axes.axvspan(-2, 2, color="0.5", alpha=0.15, linewidth=0)
    for kind, part in table.groupby("kind", sort=False):
        label = f"{kind} ({len(part)})"
        axes.scatter(
            part["t"], part["fitted"] / noise, s=18, marker=KINDS[kind], color=colours[kind], label=label
        )
    axes.set_xscale("symlog", linthresh=4)
    axes.set_yscale("symlog", linthresh=4)
    axes.set(xlabel="labels / noise level (t)", ylabel="fitted / noise level")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, fontsize=9, columnspacing=1)


def draw_report(table: pd.DataFrame, kstar: int, noise: float) -> Figure:
    """Draw the spectrum above the map of modes."""
    figure, (above, below) = plt.subplots(2, 1, figsize=(7.2, 8.4))
    draw_spectrum(above, table, kstar, noise)
    draw_mode_map(below, table, noise)
    return figure
