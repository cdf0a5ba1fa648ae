"""Figures and tables of notebook 04."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, RED, PURPLE = sns.color_palette("colorblind")[:5]
COLOURS = {"kd": BLUE, "ce": ORANGE, "ls_logits": GREEN, "naive": RED, "kd_only": PURPLE}
MARKERS = {"kd": "o", "ce": "s", "ls_logits": "^", "naive": "D", "kd_only": "v"}
TITLES = {"mnist": "MNIST", "fashion": "Fashion-MNIST"}
DEGREES = {2: "degree 2", 3: "degree 3"}
PAPER = {("mnist", 2): 95.98, ("mnist", 3): 96.77}
ANCHOR_1998 = 96.7


def draw_accuracy(scores: pd.DataFrame, summary: pd.DataFrame) -> Figure:
    """Draw test accuracy by method: a dot a seed, the mean with its interval, the paper's value."""
    figure, panels = plt.subplots(2, 2, figsize=(7.2, 6.0), sharex="row")
    for axes, (data, degree) in zip(
        panels.flat, ((data, degree) for data in TITLES for degree in DEGREES), strict=True
    ):
        part = summary[(summary["data"] == data) & (summary["degree"] == degree)]
        dots = scores[(scores["data"] == data) & (scores["degree"] == degree) & scores["chosen"]]
        _methods(axes, part, dots)
        axes.set_title(f"{TITLES[data]}, {DEGREES[degree]}")
        if (data, degree) in PAPER:
            axes.axvline(PAPER[data, degree], color=ORANGE, linestyle="--", linewidth=1.4)
            axes.axvline(ANCHOR_1998, color=GREEN, linestyle=":", linewidth=1.4)
        if degree == 3:
            axes.set_yticklabels([])
    panels[1, 1].set_xlabel("test accuracy (%)")
    handles = [
        plt.Line2D([], [], marker="o", color=BLUE, label="ours: mean, 95 % interval, seeds"),
        plt.Line2D([], [], color=ORANGE, linestyle="--", label="paper, distilled"),
        plt.Line2D([], [], color=GREEN, linestyle=":", label="quadratic, 1998"),
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=3)
    return figure


ORDER = ("kd", "ce", "kd_only", "ls_onehot", "ls_logits", "naive", "naive_published")
SHORT = {
    "kd": "distilled",
    "ce": "no teacher",
    "kd_only": "teacher alone",
    "ls_onehot": "LS, labels",
    "ls_logits": "LS, logits",
    "naive": "EDMD, best",
    "naive_published": "EDMD, d' = d",
}


def _methods(axes: Axes, summary: pd.DataFrame, scores: pd.DataFrame) -> None:
    for row, method in enumerate(ORDER):
        dots = scores[scores["method"] == method]["accuracy"]
        axes.scatter(dots, np.full(len(dots), row), s=12, color=BLUE, alpha=0.5, linewidth=0)
        for mean in summary[summary["method"] == method].itertuples():
            axes.plot([mean.low, mean.high], [row, row], color=BLUE, linewidth=2.5)
            axes.plot(mean.mean, row, "o", color=BLUE, markersize=5)
    axes.set_yticks(range(len(ORDER)), [SHORT[method] for method in ORDER])
    axes.set_ylim(len(ORDER) - 0.5, -0.5)


def draw_teacher_share(share: pd.DataFrame) -> Figure:
    """Draw what the teacher adds over plain cross-entropy at every size."""
    figure, panels = plt.subplots(1, 2, figsize=(7.2, 3.2), sharey=True)
    for axes, (data, title) in zip(panels, TITLES.items(), strict=True):
        axes.axhline(0, color=plt.rcParams["axes.edgecolor"], linewidth=1)
        for (degree, words), colour, marker in zip(DEGREES.items(), (BLUE, ORANGE), "os", strict=True):
            part = share[(share["data"] == data) & (share["degree"] == degree)]
            middle = part["mean"].to_numpy()
            reach = np.abs(np.vstack([middle - part["low"], part["high"] - middle]))
            axes.errorbar(
                part["functions"], middle, reach, color=colour, marker=marker, capsize=3, label=words
            )
        _log_ticks(axes, share[share["data"] == data]["functions"])
        axes.set_title(title)
    panels[0].set_ylabel("distilled − no teacher (points)")
    panels[0].legend()
    panels[1].set_xlabel("functions in the dictionary")
    return figure


def _log_ticks(axes: Axes, values: pd.Series) -> None:
    """Scale logarithmically, with ticks at some of the values themselves: too few decades else."""
    axes.set_xscale("log")
    ticks: list[float] = []
    for value in sorted(set(values)):
        if not ticks or value > 1.9 * ticks[-1]:
            ticks.append(value)
    axes.set_xticks(ticks, [f"{tick:,.0f}" for tick in ticks])
    axes.minorticks_off()


def draw_degrees(sizes: pd.DataFrame) -> Figure:
    """Draw accuracy against the number of functions, what each degree and each component adds."""
    return _against(sizes, "functions", "functions in the dictionary")


def draw_front(sizes: pd.DataFrame) -> Figure:
    """Draw accuracy against nonlinear products an image, the costly part in optics."""
    return _against(sizes, "multiplications", "multiplications an image")


def _against(sizes: pd.DataFrame, column: str, label: str) -> Figure:
    figure, panels = plt.subplots(1, 2, figsize=(7.2, 3.6))
    for axes, (data, title) in zip(panels, TITLES.items(), strict=True):
        for method in ("kd", "ce", "ls_logits"):
            for degree, style in zip(DEGREES, ("-", ":"), strict=True):
                part = sizes[
                    (sizes["data"] == data) & (sizes["degree"] == degree) & (sizes["method"] == method)
                ]
                part = part.sort_values(column)
                axes.plot(
                    part[column],
                    part["mean"],
                    style,
                    marker=MARKERS[method],
                    color=COLOURS[method],
                    label=f"{SHORT[method]}, {DEGREES[degree]}",
                )
        _log_ticks(axes, sizes[sizes["data"] == data][column])
        axes.set_title(title)
    panels[0].set_ylabel("test accuracy (%)")
    panels[1].set_xlabel(label)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=3, fontsize=9)
    return figure


def draw_stability(deviations: pd.DataFrame) -> Figure:
    """Draw how accuracy varies over seeds and over parts of the training images."""
    sources = list(dict.fromkeys(deviations["what"]))
    methods = list(dict.fromkeys(deviations["method"]))
    figure, panels = plt.subplots(1, 2, figsize=(7.2, 2.6), sharex=True, sharey=True)
    for axes, source in zip(panels, sources, strict=True):
        axes.axvline(0, color=plt.rcParams["axes.edgecolor"], linewidth=1)
        for row, method in enumerate(methods):
            part = deviations[(deviations["what"] == source) & (deviations["method"] == method)]["deviation"]
            axes.scatter(part, np.full(len(part), row), color=COLOURS[method], alpha=0.7, s=22, linewidth=0)
            spread = part.std(ddof=1) if len(part) > 1 else 0.0
            axes.plot([-spread, spread], [row + 0.25] * 2, color=COLOURS[method], linewidth=2.5)
        axes.set_title(f"over {source}")
    panels[0].set_yticks(range(len(methods)), [SHORT[method] for method in methods])
    panels[0].set_ylim(len(methods) - 0.5, -0.5)
    panels[1].set_xlabel("test accuracy minus its mean (points); bars: ± one deviation")
    return figure


def draw_course(course: pd.DataFrame, newton: float) -> Figure:
    """Draw Adam's excess loss over the certified optimum against time."""
    figure, axes = plt.subplots(figsize=(7.2, 3.2))
    for number, (_, part) in enumerate(course.groupby("order")):
        label = "Adam, one line an order of images" if number == 0 else None
        axes.plot(part["seconds"], part["excess"], marker=".", color=ORANGE, label=label)
    axes.axvline(newton, color=BLUE, linestyle="--", label="Newton has ended, gradient below 1e-6")
    axes.set_yscale("log")
    axes.set_xlabel("CPU seconds, one thread")
    axes.set_ylabel("loss − minimum")
    figure.legend(loc="outside upper left", ncols=2)
    return figure


FAULTS = {
    "bits": "bits a weight",
    "noise": "noise (share of r.m.s.)",
    "missing": "dead functions (share)",
}


def draw_hardware(faults: pd.DataFrame) -> Figure:
    """Draw accuracy with few weight levels, noisy functions and dead functions."""
    figure, panels = plt.subplots(1, 3, figsize=(7.2, 3.2), sharey=True)
    for axes, (fault, label) in zip(panels, FAULTS.items(), strict=True):
        for method, part in faults[faults["fault"] == fault].groupby("method", sort=False):
            means = part.groupby("level")["accuracy"].mean()
            axes.plot(means.index, means, marker=MARKERS[method], color=COLOURS[method], label=SHORT[method])
        if fault != "bits":
            axes.set_xscale("log")
        axes.set_xlabel(label, loc="center", fontsize=10)
    panels[0].set_ylabel("test accuracy (%)")
    panels[0].invert_xaxis()
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=4)
    return figure
