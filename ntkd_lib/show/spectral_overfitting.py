"""Figures of notebook 05."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ntkd_lib.show.html import Html, element
from ntkd_lib.spectral.drawing import draw_mode_map, draw_spectrum

BLUE, ORANGE, GREEN, RED, PURPLE, BROWN, PINK = sns.color_palette("colorblind")[:7]
PREDICTORS = {
    "teacher": ("network, end of training", BLUE, "o"),
    "student": ("its student", BLUE, "D"),
    "early_teacher": ("network, stopped in time", ORANGE, "o"),
    "early_student": ("its student", ORANGE, "D"),
    "krr": ("kernel ridge on labels", GREEN, "s"),
}
_OFFSETS = np.linspace(-0.28, 0.28, len(PREDICTORS))


def draw_six(scores: pd.DataFrame) -> Figure:
    """Draw the test RMSE of the six networks, their students and the control: means, with all seeds."""
    names = list(dict.fromkeys(scores["network"]))
    rows = scores["network"].map(names.index)
    figure, axes = plt.subplots(figsize=(7.2, 4.8))
    for offset, (name, (label, colour, marker)) in zip(_OFFSETS, PREDICTORS.items(), strict=True):
        axes.scatter(scores[name], rows + offset, s=8, color=colour, alpha=0.35, linewidth=0)
        means = scores.groupby("network", sort=False)[name].mean()
        filled = "none" if marker == "D" else colour
        at = np.arange(len(names)) + offset
        axes.plot(means, at, marker, color=colour, markerfacecolor=filled, markersize=6, label=label)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlabel("test RMSE (noise: 1)")
    axes.set_ylabel("network")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    return figure


def draw_largest_spectrum(modes: pd.DataFrame, kstar: int, noise: float) -> Figure:
    """Draw the spectrum of one network."""
    figure, axes = plt.subplots(figsize=(7.2, 4.8))
    draw_spectrum(axes, modes, kstar, noise)
    return figure


def draw_modes(modes: pd.DataFrame, noise: float) -> Figure:
    """Draw the map of modes of one network."""
    figure, axes = plt.subplots(figsize=(7.2, 4.8))
    draw_mode_map(axes, modes, noise)
    return figure


def draw_optimism(points: pd.DataFrame) -> Figure:
    """Draw estimated against true optimism, one dot a network and checkpoint."""
    plain = (points["kind"] == "plain") & (points["target"] != "gp_rough")
    figure, panels = plt.subplots(1, 2, figsize=(7.2, 3.8), sharex=True, sharey=True)
    low, high = 0.01, 1.2 * max(points["gap"].max(), points["optimism"].max())
    parts = {"smooth target, plain noise": points[plain], "rough, shuffled or uneven": points[~plain]}
    for axes, (title, part) in zip(panels, parts.items(), strict=True):
        x, y = part["gap"].clip(lower=low), part["optimism"].clip(lower=low)
        axes.scatter(x, y, s=3, color=BLUE, alpha=0.15, linewidth=0, rasterized=True)
        axes.plot([low, high], [low, high], color=ORANGE, linewidth=1.4)
        axes.set(xscale="log", yscale="log", title=title, xlabel="true gap")
    panels[0].set_ylabel("estimated gap")
    return figure


def draw_roc(everywhere: pd.DataFrame, compared: pd.DataFrame) -> Figure:
    """Draw ROC curves for networks past their best."""
    labels = list(dict.fromkeys([*everywhere["label"], *compared["label"]]))
    colours = dict(zip(labels, (ORANGE, PINK, RED, BLUE, GREEN, PURPLE, BROWN), strict=False))
    styles = dict(zip(labels, ("-", "-.", "--", "-", "-", ":", "-."), strict=False))
    figure, panels = plt.subplots(1, 2, figsize=(7.2, 4.6), sharey=True)
    titles = ("the whole grid", "where refits were run")
    for axes, curves, title in zip(panels, (everywhere, compared), titles, strict=True):
        for label, curve in curves.groupby("label", sort=False):
            x, y = curve["false_positive"], curve["true_positive"]
            axes.plot(x, y, styles[label], color=colours[label], label=label)
        axes.plot([0, 1], [0, 1], color="0.5", linewidth=1, linestyle="--")
        axes.set(title=title, xlabel="false-positive rate", aspect="equal")
    panels[0].set_ylabel("true-positive rate")
    _shared_key(figure, panels[1])
    return figure


def _shared_key(figure: Figure, axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=9)


def answer(six: pd.DataFrame, areas: pd.DataFrame) -> Html:
    """Say what became of the two headline claims, in numbers."""
    counts = {gain: int((six[f"{gain}_low"] > 0).sum()) for gain in ("gain", "early_gain")}
    lost = int((six["control_gain_high"] < 0).sum())
    contract, past = (
        areas.loc[(areas["method"] == "z") & (areas["truth"] == truth), "area"].item()
        for truth in ("off_best", "harmful")
    )
    text = (
        f"The student predicts better than {counts['gain']} of 6 networks at the end of training, and than "
        f"{counts['early_gain']} of 6 that were stopped in time. Kernel ridge straight on the labels is "
        f"better than the student of {lost} of 6 networks. As a detector of a risk 25 % above the best of "
        f"its training run the tail statistic has an area under the ROC curve of {contract:.2f} (0.5 is "
        f"chance); of networks that are past their best, {past:.2f}."
    )
    return element("p", element("strong", "Measured here. "), text)
