"""Synthetic gradients against selected points, eigenvalues, ranks, and the recorded pretrained network."""

from collections.abc import Sequence
from itertools import product
from statistics import mean

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ntkd_lib.chapters.distilled.methods import LABELS, NAMES
from ntkd_lib.chapters.distilled.protocols import REDUCED, SCORES
from ntkd_lib.chapters.distilled.studies.ranks import ranks
from ntkd_lib.chapters.distilled.studies.synthetic import COUNTS, ENERGIES, synthetic
from ntkd_lib.chapters.run import Run
from ntkd_lib.dntk.gradients import CLUSTERS
from ntkd_lib.lab import recorded_metrics, unfold
from ntkd_lib.show import Column, dots, draw_panels

STYLES = {
    "local-global": ("o", dots.ORANGE),
    "global top": ("s", dots.BLUE),
    "farthest points": ("^", dots.GREEN),
    "cluster centres": ("v", dots.RED),
    "leverage": ("D", dots.PURPLE),
    "random of support": ("P", dots.GREY),
}
STATES = {
    "initial": ("initial network", "o", dots.BLUE),
    "trained": ("trained network", "s", dots.ORANGE),
    "distilled": ("distilled images", "D", dots.GREEN),
}
PERCENTS = [round(100 * energy) for energy in ENERGIES]


def draw_synthetic(scores: pd.DataFrame) -> Figure:
    """Draw fidelity against the number of synthetic gradients or selected points."""
    return draw_panels(scores, "data", NAMES, {"fidelity (%)": _draw_fidelity}, "synthetic gradients")


def _draw_fidelity(axes: Axes, part: pd.DataFrame) -> None:
    for method, (marker, colour) in STYLES.items():
        groups = part[part["method"] == method].groupby("size")["fidelity"]
        means = groups.mean()
        ends = np.array([means - groups.min(), groups.max() - means])
        bars = ends if method in ("local-global", "global top") else None
        style = {"marker": marker, "color": colour, "markersize": 5, "linewidth": 1.2}
        axes.errorbar(means.index, means, bars, capsize=2, label=LABELS.get(method, method), **style)
    axes.set(xscale="log", xticks=COUNTS, xticklabels=[str(count) for count in COUNTS])
    axes.minorticks_off()


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
    draws = {"share of the trace": _draw_shares}
    return draw_panels(table, "data", NAMES, draws, "index of the eigenvalue", height=3.6, sharey=True)


def _draw_shares(axes: Axes, part: pd.DataFrame) -> None:
    positive = part[part["share"] > 0].groupby("curve", sort=False)
    for (label, curve), style in zip(positive, ("-", "o"), strict=True):
        axes.loglog(curve["index"], curve["share"], style, markersize=4, label=label)
    axes.set_ylim(1e-7, 1)


def rank_rows(run: Run) -> pd.DataFrame:
    """List ranks of per-class kernels against points per class."""
    return unfold(run.frame(ranks)[["data", "seed", "rows"]], "rows")


def draw_ranks(rows: pd.DataFrame) -> Figure:
    """Draw truncation ranks of per-class kernels against the number of points per class."""
    draws = {"rank at 95 % of the trace": _draw_states}
    return draw_panels(rows, "data", NAMES, draws, "points per class", sharey=True)


def _draw_states(axes: Axes, part: pd.DataFrame) -> None:
    sizes = np.sort(part["size"].unique())
    axes.plot(sizes, sizes, color=plt.rcParams["axes.edgecolor"], linestyle=":", label="full rank")
    for state, (label, marker, colour) in STATES.items():
        means = part[part["state"] == state].groupby("size")["truncation"].mean()
        axes.plot(means.index, means, label=label, marker=marker, color=colour, markersize=5)
    if 50 in sizes:
        paper = {"color": dots.RED, "linewidth": 4, "alpha": 0.6, "label": "paper, 50 points"}
        axes.plot([50, 50], [31, 41], **paper)
    axes.set(xscale="log", yscale="log")


def reductions() -> tuple[pd.DataFrame, Sequence[Column]]:
    """List recorded accuracy and fidelity of synthetic gradients and of selected points, mean over seeds."""
    means = _recorded_means()
    rows = [
        {"label": f"{LABELS.get(method, method)}, {score}"}
        | {f"s{count}": means[f"{key}s{count}.{score}"] for count in COUNTS}
        for (key, method), score in product(REDUCED.items(), SCORES)
        if f"{key}s{COUNTS[0]}.{score}" in means
    ]
    counts = (Column(f"s = {count}", f"{{s{count}:.1f}}") for count in COUNTS)
    return pd.DataFrame(rows), (Column("Projected gradients of 100 distilled images (%)", "{label}"), *counts)


def uncovered() -> tuple[pd.DataFrame, Sequence[Column]]:
    """List the share of the trace that clusters leave uncovered, by their number and the energy kept."""
    means = _recorded_means()
    rows = [
        {"clusters": h} | {f"e{e}": means[f"uncovered.h{h}.e{e}"] for e in PERCENTS}
        for h in CLUSTERS
        if f"uncovered.h{h}.e95" in means
    ]
    energies = (Column(f"{e} % of the energy", f"{{e{e}:.1f}} %") for e in PERCENTS)
    return pd.DataFrame(rows), (Column("Clusters", "{clusters}"), *energies)


def _recorded_means() -> dict[str, float]:
    metrics = recorded_metrics("06_pretrained")
    return {name.removeprefix("dntk.pretrained."): mean(metric.values) for name, metric in metrics.items()}
