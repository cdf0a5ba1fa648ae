"""Synthetic gradients against selected points, and eigenvalues before and after the reduction: figures."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ntkd_lib.chapters.distilled.methods import LABELS, NAMES
from ntkd_lib.chapters.distilled.page import COLOURS, add_legend
from ntkd_lib.chapters.distilled.studies.synthetic import COUNTS, synthetic
from ntkd_lib.chapters.run import Run

STYLES = {
    "local-global": ("o", "orange"),
    "global top": ("s", "blue"),
    "farthest points": ("^", "green"),
    "cluster centres": ("v", "red"),
    "leverage": ("D", "violet"),
    "random of support": ("P", "grey"),
}


def draw_synthetic(scores: pd.DataFrame) -> Figure:
    """Draw fidelity against the number of synthetic gradients or selected points."""
    datasets = list(dict.fromkeys(scores["data"]))
    figure, panels = plt.subplots(1, len(datasets), figsize=(7.4, 3.8), squeeze=False)
    for axes, data in zip(panels[0], datasets, strict=True):
        part = scores[scores["data"] == data]
        for method, (marker, colour) in STYLES.items():
            groups = part[part["method"] == method].groupby("size")["fidelity"]
            means = groups.mean()
            ends = np.array([means - groups.min(), groups.max() - means])
            bars = ends if method in ("local-global", "global top") else None
            style = {"marker": marker, "color": COLOURS[colour], "markersize": 5, "linewidth": 1.2}
            axes.errorbar(means.index, means, bars, capsize=2, label=LABELS.get(method, method), **style)
        axes.set(xscale="log", xticks=COUNTS, xticklabels=[str(count) for count in COUNTS], title=NAMES[data])
        axes.minorticks_off()
        axes.set_xlabel("synthetic gradients")
    panels[0][0].set_ylabel("fidelity (%)")
    add_legend(figure, panels[0][0])
    return figure


def spectra(run: Run) -> pd.DataFrame:
    """List eigenvalues of the mean kernel of the distilled images, and of the reduced one, first seed."""
    curves = {"before: all distilled images": "eigenvalues", f"after: {COUNTS[-1]} synthetic": "reduced"}
    return pd.DataFrame(
        {"data": data, "curve": label, "index": index, "share": float(share)}
        for data in run.parameters.datasets
        for label, name in curves.items()
        for index, share in enumerate(run.select(synthetic, data=data)[0].arrays[name], start=1)
    )


def draw_spectra(table: pd.DataFrame) -> Figure:
    """Draw eigenvalues of the mean kernel before and after its reduction to synthetic gradients."""
    datasets = list(dict.fromkeys(table["data"]))
    figure, panels = plt.subplots(1, len(datasets), figsize=(7.4, 3.6), sharey=True, squeeze=False)
    for axes, data in zip(panels[0], datasets, strict=True):
        curves = table[table["data"] == data].groupby("curve", sort=False)
        for (label, part), style in zip(curves, ("-", "o"), strict=True):
            positive = part[part["share"] > 0]
            axes.loglog(positive["index"], positive["share"], style, markersize=4, label=label)
        axes.set(title=NAMES[data], ylim=(1e-7, 1))
        axes.set_xlabel("index of the eigenvalue")
    panels[0][0].set_ylabel("share of the trace")
    add_legend(figure, panels[0][0], columns=2)
    return figure
