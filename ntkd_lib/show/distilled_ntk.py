"""Figures of notebook 06."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from ntkd_lib.dntk.ledger import Ledger

COLOURS = dict(
    zip(
        ("blue", "orange", "green", "red", "violet", "brown", "pink", "grey"),
        sns.color_palette("colorblind"),
        strict=False,
    )
)
NAMES = {"mnist": "MNIST", "mnist-5k": "MNIST", "cifar-10": "CIFAR-10", "imagenette": "Imagenette"}
LABELS = {
    "exact": "exact, all images",
    "random": "random real images",
    "pivoted": "images chosen by last layer",
    "distilled": "distilled images",
    "nystrom": "Nyström landmarks",
    "pseudo": "pseudo-NTK",
    "streamed": "streamed sketch",
    "local-global": "DNTK, local-global",
    "global top": "top eigenvectors",
    "last layer": "last layer only",
    "energy start": "landmarks",
    "energy tuned": "tuned to the kernel",
    "matched": "matched features, equal work",
}
STYLES = {
    "random": ("o", "blue"),
    "pivoted": ("s", "green"),
    "distilled": ("D", "orange"),
    "nystrom": ("^", "violet"),
    "pseudo": ("v", "red"),
    "streamed": ("P", "brown"),
    "local-global": ("X", "grey"),
}
SELECTION_STYLES = {
    "local-global": ("o", "orange"),
    "global top": ("s", "blue"),
    "farthest points": ("^", "green"),
    "cluster centres": ("v", "red"),
    "leverage": ("D", "violet"),
    "random of support": ("P", "grey"),
}


def draw_frontier(means: pd.DataFrame, columns: tuple[str, str], along: str, axis: str) -> Figure:
    """Draw two scores against what a method takes, for both data sets."""
    datasets = list(dict.fromkeys(means["data"]))
    figure, panels = plt.subplots(2, len(datasets), figsize=(7.4, 6.2), sharex="col", squeeze=False)
    for line, column in zip(panels, columns, strict=True):
        for axes, data in zip(line, datasets, strict=True):
            part = means[(means["data"] == data) & (means["target"] == "logits")]
            _frontier(axes, part, along, column)
        line[0].set_ylabel(f"{column} (%)")
    for axes, data in zip(panels[0], datasets, strict=True):
        axes.set_title(NAMES[data])
    for axes in panels[-1]:
        axes.set_xlabel(axis)
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3, fontsize=9)
    return figure


def _frontier(axes: Axes, part: pd.DataFrame, along: str, column: str) -> None:
    for method, (marker, colour) in STYLES.items():
        points = part[part["method"] == method].sort_values(along)
        style = {"color": COLOURS[colour], "marker": marker, "label": LABELS[method], "markersize": 5}
        axes.plot(points[along], points[column], linewidth=1.2, **style)
    exact = part[part["method"] == "exact"].iloc[0]
    axes.plot(
        exact[along],
        exact[column],
        "*",
        color=plt.rcParams["text.color"],
        markersize=11,
        label=LABELS["exact"],
    )
    last = part[part["method"] == "last layer"].sort_values("size").iloc[-1]
    axes.axhline(
        last[column], color=COLOURS["pink"], linestyle="--", linewidth=1.4, label=LABELS["last layer"]
    )
    axes.set_xscale("log")
    axes.xaxis.set_minor_formatter(NullFormatter())


def draw_synthetic(scores: pd.DataFrame) -> Figure:
    """Draw fidelity against the number of synthetic gradients or selected points."""
    datasets = list(dict.fromkeys(scores["data"]))
    figure, panels = plt.subplots(1, len(datasets), figsize=(7.4, 3.8), squeeze=False)
    for axes, data in zip(panels[0], datasets, strict=True):
        part = scores[scores["data"] == data]
        for method, (marker, colour) in SELECTION_STYLES.items():
            groups = part[part["method"] == method].groupby("size")["fidelity"]
            mean = groups.mean()
            low, high = mean - groups.min(), groups.max() - mean
            bars = np.array([low, high]) if method in ("local-global", "global top") else None
            label = LABELS.get(method, method)
            style = {"marker": marker, "color": COLOURS[colour], "label": label, "markersize": 5}
            axes.errorbar(mean.index, mean, bars, linewidth=1.2, capsize=2, **style)
        axes.set(xscale="log", xticks=(5, 10, 20, 40), xticklabels=("5", "10", "20", "40"), title=NAMES[data])
        axes.minorticks_off()
        axes.set_xlabel("synthetic gradients")
    panels[0][0].set_ylabel("fidelity (%)")
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3, fontsize=9)
    return figure


def draw_spectra(spectra: pd.DataFrame) -> Figure:
    """Draw eigenvalues of the mean kernel before and after its reduction to synthetic gradients."""
    datasets = list(dict.fromkeys(spectra["data"]))
    figure, panels = plt.subplots(1, len(datasets), figsize=(7.4, 3.6), sharey=True, squeeze=False)
    for axes, data in zip(panels[0], datasets, strict=True):
        for (label, part), style in zip(
            spectra[spectra["data"] == data].groupby("curve", sort=False), ("-", "o"), strict=True
        ):
            shown = part[part["share"] > 0]
            axes.loglog(shown["index"], shown["share"], style, markersize=4, label=label)
        axes.set(title=NAMES[data], ylim=(1e-7, 1))
        axes.set_xlabel("index of the eigenvalue")
    panels[0][0].set_ylabel("share of the trace")
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=2)
    return figure


def draw_ranks(ranks: pd.DataFrame) -> Figure:
    """Draw truncation ranks of per-class kernels against the number of points a class."""
    datasets = list(dict.fromkeys(ranks["data"]))
    figure, panels = plt.subplots(1, len(datasets), figsize=(7.4, 3.8), sharey=True, squeeze=False)
    shown = {"initial": ("o", "blue"), "trained": ("s", "orange"), "distilled": ("D", "green")}
    for axes, data in zip(panels[0], datasets, strict=True):
        part = ranks[ranks["data"] == data]
        sizes = np.sort(part["size"].unique())
        axes.plot(sizes, sizes, color=plt.rcParams["axes.edgecolor"], linestyle=":", label="full rank")
        for state, (marker, colour) in shown.items():
            mean = part[part["state"] == state].groupby("size")["truncation"].mean()
            style = {"marker": marker, "color": COLOURS[colour], "markersize": 5}
            axes.plot(
                mean.index,
                mean,
                label=f"{state} network" if state != "distilled" else "distilled images",
                **style,
            )
        if 50 in sizes:
            axes.plot(
                [50, 50], [31, 41], color=COLOURS["red"], linewidth=4, alpha=0.6, label="paper, 50 points"
            )
        axes.set(xscale="log", yscale="log", title=NAMES[data])
        axes.set_xlabel("points a class")
    panels[0][0].set_ylabel("rank at 95 % of the trace")
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3, fontsize=9)
    return figure


STAGES = {
    "distillation of images": "orange",
    "Jacobians": "blue",
    "tangent kernel": "blue",
    "sketch": "green",
    "projection": "green",
    "inner products": "violet",
    "decomposition": "red",
    "choice of points": "brown",
    "forward passes": "brown",
    "regression": "grey",
}


def draw_ledger(stages: pd.DataFrame, paper: Mapping[str, Ledger]) -> Figure:
    """Draw what the builds take: measured seconds here, counted operations at the paper's sizes."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.6, 3.8), width_ratios=(1.1, 1))
    here = {
        LABELS[method]: dict(zip(part["stage"], part["seconds"], strict=True))
        for method, part in stages.groupby("method", sort=False)
    }
    there = {
        m: {stage: work.flop / 1e15 for stage, work in ledger.build.items()} for m, ledger in paper.items()
    }
    for axes, bars in ((left, here), (right, there)):
        _stacked(axes, bars)
    left.set_xlabel("seconds of one core, MNIST")
    right.set_xlabel("PFLOP, paper's sizes")
    used = {stage for bars in (here, there) for parts in bars.values() for stage in parts}
    patches = [plt.Rectangle((0, 0), 1, 1, color=COLOURS[STAGES[s]]) for s in STAGES if s in used]
    figure.legend(patches, [s for s in STAGES if s in used], loc="outside upper center", ncols=3, fontsize=9)
    return figure


def _stacked(axes: Axes, bars: Mapping[str, Mapping[str, float]]) -> None:
    for row, parts in enumerate(bars.values()):
        left = 0.0
        for stage, value in parts.items():
            axes.barh(row, value, left=left, color=COLOURS[STAGES[stage]], height=0.65)
            left += value
    axes.set_yticks(range(len(bars)), list(bars))
    axes.invert_yaxis()
