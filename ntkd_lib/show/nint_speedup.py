"""Charts of notebook 07."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ntkd_lib.show import dots

BLUE, ORANGE, GREEN, RED, PURPLE = sns.color_palette("colorblind")[:5]
LINES = {
    "full": (BLUE, "-"),
    "uniform": (ORANGE, "--"),
    "nint": (GREEN, "-"),
    "error_mix": (RED, ":"),
    "error_memory": (PURPLE, "-."),
}
PAPER_TIME = 48.99


def draw_curves(curves: pd.DataFrame) -> Figure:
    """Draw quality against CPU time and against steps."""
    figure, panels = plt.subplots(1, 2, figsize=(7.2, 3.6), sharey=True)
    for axes, x, name in zip(panels, ("cpu", "step"), ("CPU seconds", "steps"), strict=True):
        for method, part in curves.groupby("method", sort=False):
            colour, style = LINES[method]
            axes.plot(part[x], part["mean"], style, color=colour, label=part["label"].iloc[0])
            axes.fill_between(part[x], part["low"], part["high"], color=colour, alpha=0.2, linewidth=0)
        axes.set_xlabel(name)
    panels[0].set_ylabel("PSNR (dB)")
    panels[0].set_xlim(0, curves[curves["method"] == "nint"]["cpu"].max() * 1.05)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper left", ncols=3)
    return figure


def draw_times(images: pd.DataFrame, order: Sequence[str]) -> Figure:
    """Draw the time that samplers take to full batch's quality, image by image."""
    figure, axes = plt.subplots(figsize=(7.2, 0.3 * len(order) + 1.4))
    for row, method in enumerate(order):
        part = images[images["method"] == method]
        axes.scatter(part["time"], np.full(len(part), row), s=22, color=BLUE, alpha=0.7, linewidth=0)
        axes.scatter(part["work"], np.full(len(part), row), s=26, marker="|", color=ORANGE)
    labels = images.drop_duplicates("method").set_index("method")["label"]
    axes.set_yticks(range(len(order)), [labels[m] for m in order])
    axes.invert_yaxis()
    axes.axvline(1, color=plt.rcParams["axes.edgecolor"], linewidth=1)
    axes.axvline(1 - PAPER_TIME / 100, color=GREEN, linestyle="--", linewidth=1.4)
    axes.set_xlim(left=0)
    axes.set_xlabel("time to full batch's quality, full batch = 1")
    entries = {"CPU time, one image": ("o", BLUE), "forward-equivalents": ("|", ORANGE)}
    _key(axes, entries, {"paper's best: 0.51": GREEN})
    return figure


def _key(axes: Axes, entries: dict[str, tuple[str, object]], lines: dict[str, object] | None = None) -> None:
    handles = dots.key_handles(entries, filled=True)
    handles += [plt.Line2D([], [], color=c, linestyle="--", label=name) for name, c in (lines or {}).items()]
    axes.figure.legend(handles=handles, loc="outside upper left", ncols=2)


def draw_gains(qualities: pd.DataFrame) -> Figure:
    """Draw quality after equal steps, as difference to uniform sampling."""
    rows = qualities.sort_values("to_uniform", ascending=False)
    figure, axes = plt.subplots(figsize=(7.2, 0.3 * len(rows) + 1))
    axes.axvline(0, color=plt.rcParams["axes.edgecolor"], linewidth=1)
    for place, row in enumerate(rows.itertuples()):
        colour = GREEN if row.uniform_low > 0 else ORANGE if row.uniform_high < 0 else BLUE
        axes.plot([row.uniform_low, row.uniform_high], [place, place], color=colour, linewidth=2.5)
        axes.plot(row.to_uniform, place, "o", color=colour, markersize=6)
    axes.set_yticks(range(len(rows)), rows["label"])
    axes.invert_yaxis()
    axes.set_xlabel("PSNR after equal steps, minus uniform (dB)")
    return figure


def draw_equal_time(timed: pd.DataFrame) -> Figure:
    """Draw quality after equal CPU time, tuned, as difference to NINT."""
    labels = list(dict.fromkeys(timed[timed["method"] != "nint"]["label"]))
    figure, axes = plt.subplots(figsize=(7.2, 0.42 * len(labels) + 1.2))
    axes.axvline(0, color=plt.rcParams["axes.edgecolor"], linewidth=1)
    markers = dict(zip(dict.fromkeys(timed["image"]), "osD^", strict=False))
    for (name, image), part in timed[timed["method"] != "nint"].groupby(["label", "image"], sort=False):
        rows = np.full(len(part), labels.index(name))
        axes.scatter(part["gap"], rows, marker=markers[image], s=22, color=BLUE, alpha=0.6, linewidth=0)
    means = timed.groupby("label")["gap"].mean()
    axes.plot([means[name] for name in labels], range(len(labels)), "|", color=ORANGE, markersize=16)
    axes.set_yticks(range(len(labels)), labels)
    axes.invert_yaxis()
    axes.set_xlabel("PSNR after equal CPU time, minus NINT (dB)")
    _key(axes, {image: (marker, BLUE) for image, marker in markers.items()})
    return figure


def draw_settings(settings: pd.DataFrame) -> Figure:
    """Draw what other settings of NINT change."""
    labels = list(dict.fromkeys(settings["label"]))
    figure, axes = plt.subplots(figsize=(7.2, 0.3 * len(labels) + 1))
    axes.axvline(0, color=plt.rcParams["axes.edgecolor"], linewidth=1)
    axes.scatter(
        settings["gap"], settings["label"].map(labels.index), s=20, color=BLUE, alpha=0.7, linewidth=0
    )
    means = settings.groupby("label")["gap"].mean()
    axes.plot([means[name] for name in labels], range(len(labels)), "|", color=ORANGE, markersize=14)
    axes.set_yticks(range(len(labels)), labels)
    axes.invert_yaxis()
    axes.set_xlabel("PSNR minus that of ξ = 0.7, α = 10, λ = 1 (dB)")
    return figure


def draw_networks(networks: pd.DataFrame) -> Figure:
    """Draw the saving of time by architecture and width."""
    figure, axes = plt.subplots(figsize=(7.2, 0.3 * len(networks) + 1.2))
    shown = {"nint": ("o", GREEN), "uniform": ("s", ORANGE), "error_memory": ("D", PURPLE)}
    for method, (marker, colour) in shown.items():
        axes.scatter(networks[f"{method}_saving"], range(len(networks)), marker=marker, s=30, color=colour)
    axes.axvline(0, color=plt.rcParams["axes.edgecolor"], linewidth=1)
    axes.set_yticks(range(len(networks)), networks["network"])
    axes.invert_yaxis()
    axes.set_xlabel("CPU time saved against full batch (%)")
    names = {"NINT": shown["nint"], "uniform": shown["uniform"], "error memory": shown["error_memory"]}
    _key(axes, names)
    return figure


def draw_spectrum(spectrum: pd.DataFrame) -> Figure:
    """Draw where samplers look on a signal of known spectrum."""
    bands = spectrum["frequency"].unique()
    figure, panels = plt.subplots(1, len(bands), figsize=(7.2, 3.2), sharey=True)
    styles = {**LINES, "ntk_kept": (BLUE, "-")}
    for axes, band in zip(panels, bands, strict=True):
        for method, part in spectrum[spectrum["frequency"] == band].groupby("method", sort=False):
            colour, style = styles[method]
            axes.plot(part["until"], part["visits"], style, color=colour, label=part["label"].iloc[0])
        axes.set_title(f"{band} cycle{'s' if band > 1 else ''}")
        axes.set_xlabel("until step")
    panels[0].set_ylabel("visits, even draw = 1")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper left", ncols=3)
    return figure


def draw_costs(costs: pd.DataFrame) -> Figure:
    """Draw the cost of a refresh against the number of points."""
    figure, axes = plt.subplots(figsize=(7.2, 3.2))
    axes.plot(costs["points"], costs["fused_forwards"], "o-", color=BLUE, label="fused, one pass")
    axes.plot(costs["points"], costs["separate_forwards"], "s--", color=ORANGE, label="forward + vjp + jvp")
    axes.axhline(5.5, color=GREEN, linestyle=":", label="our limit: 5.5")
    axes.set_xscale("log", base=2)
    axes.set_xticks(costs["points"], [f"{n:,}" for n in costs["points"]])
    axes.set_ylim(bottom=0)
    axes.set_xlabel("points")
    axes.set_ylabel("forward-equivalents")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3)
    return figure
