"""Figures and tables of the controls in notebook 01."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from ntkd_lib.show.html import Html, element, table
from ntkd_lib.show.numbers import MINUS, format_value, signed

BLUE, ORANGE, GREEN = sns.color_palette("colorblind")[:3]


def draw_estimates(estimates: pd.DataFrame) -> Figure:
    """Draw the accuracy that each architecture reached against its estimate."""
    figure, axes = plt.subplots(figsize=(7.2, 3.8))
    axes.scatter(estimates["estimate"], estimates["accuracy"], s=12, color=BLUE, alpha=0.4, linewidth=0)
    means = estimates.groupby("label", sort=False)[["estimate", "accuracy"]].mean()
    for number, row in enumerate(means.itertuples(), start=1):
        axes.plot(row.estimate, row.accuracy, "o", color=BLUE, markersize=7, label=f"{number}: {row.Index}")
        axes.annotate(
            str(number), (row.estimate, row.accuracy), xytext=(5, 5), textcoords="offset points", fontsize=9
        )
    axes.set_xlabel("estimate without training (% of validation images)")
    axes.set_ylabel("test accuracy reached (%)")
    figure.legend(loc="outside right upper", handlelength=0, fontsize=8, markerscale=0.01)
    return figure


def estimate_table(estimates: pd.DataFrame) -> Html:
    """Show estimates beside what was reached, best estimate first."""
    keys = ["label", "height", "width", "filters", "estimate"]
    means = estimates.groupby(keys, sort=False)["accuracy"].mean().reset_index()
    rows = [
        (
            row.label,
            f"{row.height:g} × {row.width:g} µm",
            str(row.filters),
            f"{row.estimate:.2f} %",
            format_value(row.accuracy, "percent"),
        )
        for row in means.sort_values("estimate", ascending=False).itertuples()
    ]
    headers = ("Architecture", "Surface", "Signed filters", "Estimate", "Reached")
    return table(headers, rows, caption="Stage 1: estimate and test accuracy")


def estimate_words(ranks: dict[int, float], recorded: dict[int, float], asked: dict[str, float]) -> Html:
    """Say how well ranks agree, and what the surface that was asked for is estimated at."""
    words = f"rank correlation by seed {_listed(ranks)}"
    words += f", in the recorded run {_listed(recorded)}" if recorded else ""
    words += f"; the surface asked for holds {asked['filters']:g} signed filters and is estimated at "
    words += f"{asked['estimate']:.1f} %."
    return element("p", element("strong", "Measured here: "), words)


def _listed(ranks: dict[int, float]) -> str:
    return ", ".join(f"{value:.2f}".replace("-", MINUS) for value in ranks.values())


def draw_sizes(sizes: pd.DataFrame) -> Figure:
    """Draw accuracy against the number of parameters of the back end, with and without transfer."""
    figure, axes = plt.subplots(figsize=(7.2, 3.4))
    for (name, part), marker, colour in zip(
        sizes.groupby("method", sort=False), "oD", (BLUE, ORANGE), strict=False
    ):
        means = part.groupby("parameters")["accuracy"].mean()
        axes.plot(means.index, means, marker=marker, color=colour, label=name)
        axes.scatter(part["parameters"], part["accuracy"], s=10, color=colour, alpha=0.4, linewidth=0)
    axes.set_xscale("log")
    axes.set_xlabel("parameters of the back end")
    axes.set_ylabel("test accuracy (%)")
    axes.legend()
    return figure


def draw_random(random: pd.DataFrame) -> Figure:
    """Draw the accuracy of regressions on random filters, a panel a data set."""
    names = list(dict.fromkeys(random["data"]))
    figure, panels = plt.subplots(1, len(names), figsize=(7.2, 3.4), squeeze=False)
    for axes, name in zip(panels[0], names, strict=True):
        part = random[random["data"] == name]
        finite = part[part["count"] > 0]
        for (kind, line), marker in zip(finite.groupby("kind", sort=False), "os", strict=False):
            means = line.groupby("count")["accuracy"].mean()
            axes.plot(means.index, means, marker=marker, label=kind)
        limit = part.loc[part["count"] == 0, "accuracy"].mean()
        axes.axhline(limit, linestyle="--", color=GREEN, label="infinitely many")
        paper = finite.drop_duplicates("count").dropna(subset="paper")
        axes.plot(paper["count"], paper["paper"], "D", color=ORANGE, markerfacecolor="none", label="paper")
        axes.set(xscale="log", title=name, xlabel="random filters")
        counts = sorted(finite["count"].unique())
        axes.set_xticks(counts, [f"{count:,}" for count in counts], rotation=45)
        axes.minorticks_off()
    panels[0][0].set_ylabel("test accuracy (%)")
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure


def limit_table(limit: dict[int, float], paper: float) -> Html:
    """Show how regression on infinitely many random filters gains from images."""
    if not limit:
        return element(
            "p",
            "The limit with all training images is not recorded yet; ",
            element("code", "ntkd record --list"),
            " shows how far it is.",
        )
    rows = [(f"{count:,}", f"{accuracy:.2f} %") for count, accuracy in limit.items()]
    caption = "CIFAR-10, infinitely many Gaussian filters, the recorded run, 10,000 test images. "
    return table(("Training images", "Accuracy"), rows, caption=f"{caption}The paper's value: {paper:.2f} %.")


def draw_read_outs(read_outs: pd.DataFrame) -> Figure:
    """Draw accuracy against the number of values that are read out, through filters and through a lens."""
    figure, axes = plt.subplots(figsize=(7.2, 3.2))
    for (name, part), marker in zip(read_outs.groupby("optics", sort=False), "os", strict=False):
        means = part.groupby("values")["accuracy"].mean()
        axes.plot(means.index, means, marker=marker, label=name)
    axes.set_xscale("log")
    axes.set_xlabel("values read out")
    axes.set_ylabel("test accuracy (%)")
    axes.legend()
    return figure


def gap_table(gaps: pd.DataFrame, caption: str) -> Html:
    """Show pairs of students of digits."""
    if gaps.empty:
        return element(
            "p",
            "No run with five seeds is recorded yet; ",
            element("code", "ntkd record --list"),
            " shows how far it is.",
        )
    rows = [
        (
            row.label,
            f"{row.of_greater:.2f} %",
            f"{row.of_less:.2f} %",
            signed(row.mean),
            *map(signed, (row.low, row.high)),
            str(row.seeds),
        )
        for row in gaps.itertuples()
    ]
    headers = ("Pair", "First", "Second", "Difference", "Lower end", "Upper end", "Seeds")
    return table(headers, rows, caption=caption)


def depth_table(depths: pd.DataFrame) -> Html:
    """Show what optical depth and saturable absorbers do."""
    if depths.empty:
        return element("p", "Not run on this tier; parameter optical_depth asks for it.")
    means = depths.groupby("label", sort=False)["accuracy"].agg(["mean", "count"])
    rows = [(name, f"{row['mean']:.2f} %", f"{row['count']:.0f}") for name, row in means.iterrows()]
    return table(("Front end", "Test accuracy", "Seeds"), rows, caption="Optical depth")
