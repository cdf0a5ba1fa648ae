"""Scores of all methods against their Jacobian rows and seconds, and of tuned images."""

from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from ntkd_lib.chapters.distilled.methods import LABELS, NAMES
from ntkd_lib.chapters.distilled.page import FEWER
from ntkd_lib.chapters.distilled.studies.tuned import tuned_images
from ntkd_lib.chapters.run import Run
from ntkd_lib.show import Column, Html, dots, draw_panels, show_table

LEVEL = 99.0  # percent of agreement
SHOWN = (
    ("exact", 2000), ("random", 100), ("random", 500), ("pivoted", 100), ("distilled", 100),
    ("distilled", 500), ("local-global", 5), ("local-global", 40), ("global top", 40), ("nystrom", 100),
    ("streamed", 2000), ("pseudo", 1000), ("last layer", 2000),
)  # fmt: skip
STYLES = {
    "random": ("o", dots.BLUE),
    "pivoted": ("s", dots.GREEN),
    "distilled": ("D", dots.ORANGE),
    "nystrom": ("^", dots.PURPLE),
    "pseudo": ("v", dots.RED),
    "streamed": ("P", dots.BROWN),
    "local-global": ("X", dots.GREY),
}
ROWS, GFLOP = Column("Jacobian rows", "{rows:,.0f}"), Column("GFLOP", lambda row: f"{row.flop / 1e9:,.0f}")


def fewest_rows(means: pd.DataFrame, level: float = LEVEL) -> pd.DataFrame:
    """Select the cheapest size of each method that agrees with exact kernel regression well enough."""
    by = ["data", "target", "method"]
    cheap = means[means["fewer"] >= FEWER].groupby(by)["agreement"].max().rename("cheap_agreement")
    reached = means[means["agreement"] >= level].sort_values("rows").groupby(by)[["rows", "fewer"]].first()
    return means[by].drop_duplicates().join(reached, on=by).join(cheap, on=by)


def draw_frontier(means: pd.DataFrame, columns: tuple[str, str], along: str, axis: str) -> Figure:
    """Draw two scores against the cost of a method, for both data sets."""
    draws = {f"{column} (%)": partial(_draw_methods, along=along, column=column) for column in columns}
    own = means[means["target"] == "logits"]
    return draw_panels(own, "data", NAMES, draws, axis, height=6.2, sharex="col")


def _draw_methods(axes: Axes, part: pd.DataFrame, along: str, column: str) -> None:
    for method, (marker, colour) in STYLES.items():
        rows = part[part["method"] == method].sort_values(along)
        style = {"color": colour, "marker": marker, "label": LABELS[method], "markersize": 5}
        axes.plot(rows[along], rows[column], linewidth=1.2, **style)
    whole = part[part["method"] == "exact"].iloc[0]
    star = {"color": plt.rcParams["text.color"], "markersize": 11, "label": LABELS["exact"]}
    axes.plot(whole[along], whole[column], "*", **star)
    last = part[part["method"] == "last layer"].sort_values("size").iloc[-1]
    dashed = {"color": dots.PINK, "linestyle": "--", "linewidth": 1.4, "label": LABELS["last layer"]}
    axes.axhline(last[column], **dashed)
    axes.set_xscale("log")
    axes.xaxis.set_minor_formatter(NullFormatter())


def method_table(means: pd.DataFrame, data: str) -> Html:
    """Show the main methods with scores and costs."""
    keys = ["method", "size"]
    own = means[means["data"] == data]
    labels = own[own["target"] == "labels"][[*keys, "accuracy", "agreement"]]
    both = own[own["target"] == "logits"].merge(labels, on=keys, suffixes=("", "_labels")).set_index(keys)
    shown = both.loc[[pair for pair in SHOWN if pair in both.index]].reset_index()
    columns = (
        Column("Method, size", lambda row: f"{LABELS[row.method]}, {row.size:,}"),
        Column("Accuracy", "{accuracy:.1f}"),
        Column("Fidelity", "{fidelity:.1f}"),
        Column("Agreement", "{agreement:.1f}"),
        Column("Accuracy, labels", "{accuracy_labels:.1f}"),
        Column("Agreement, labels", "{agreement_labels:.1f}"),
        ROWS,
        GFLOP,
        Column("Seconds", "{seconds:.1f}"),
        Column("Peak MiB", "{mebibytes:,.0f}"),
        Column("MFLOP per query", lambda row: f"{row.query_flop / 1e6:,.0f}"),
    )
    return show_table(shown, columns, f"{NAMES[data]}: scores (%) and what the build takes")


def energy_table(run: Run, means: pd.DataFrame) -> Html:
    """Show the energy captured by landmarks, before and after tuning, and by matched features."""
    shares = pd.DataFrame(
        {"data": cell.data, "method": method, "captured": 100 * share}
        for cell in run.frame(tuned_images).itertuples()
        for method, share in cell.captured.items()
    )
    captured = shares.groupby(["data", "method"], sort=False, as_index=False).mean()
    table = captured.merge(means[means["target"] == "logits"], on=["data", "method"])
    columns = (
        Column("Data: images", lambda row: f"{NAMES[row.data]}: {LABELS[row.method]}"),
        Column("Energy captured (%)", "{captured:.2f}"),
        Column("Agreement (%)", "{agreement:.1f}"),
        Column("Accuracy (%)", "{accuracy:.1f}"),
        ROWS,
        GFLOP,
    )
    return show_table(table, columns, "100 images tuned to the kernel, and to features with equal work")


def fewest_table(fewest: pd.DataFrame) -> Html:
    """Show the size at which each method has 99 % agreement with exact kernel regression."""
    shown = ("random", "pivoted", "distilled", "nystrom", "pseudo", "last layer", "streamed")
    columns = (
        Column("Data, target: method", lambda row: f"{NAMES[row.data]}, {row.target}: {LABELS[row.method]}"),
        Column("Rows for 99 %", lambda r: "not reached" if np.isnan(r.rows) else f"{r.rows:,.0f}"),
        Column(
            "Times fewer",
            lambda r: "no row needed" if np.isinf(r.fewer) else f"{r.fewer:.1f}".replace("nan", "–"),
        ),
        Column("Agreement at 20 times fewer (%)", "{cheap_agreement:.1f}"),
    )
    caption = "Jacobian rows, build included, at which 99 % agreement is reached"
    return show_table(fewest[fewest["method"].isin(shown)], columns, caption)
