"""Random filters on the page: accuracy by their number, beside Table 5 of the paper."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from ntkd_lib.chapters.classification.studies.infinite_width import ALL_IMAGES
from ntkd_lib.chapters.classification.studies.random_filters import KINDS, limit, regress
from ntkd_lib.chapters.run import Run
from ntkd_lib.lab import Metric, metric
from ntkd_lib.show.dots import GREEN, ORANGE

ALL_TRAINING_IMAGES = 50_000
PAPER = {
    "mnist": {8: 96.12, 500: 96.81, 1000: 97.24, 0: 97.72},
    "cifar-10": {8: 36.73, 500: 49.32, 1000: 56.23, 0: 67.33},
}


def random_filters(run: Run) -> pd.DataFrame:
    """List the regressions on random filters, their limit as the number 0."""
    finite, infinite = run.frame(regress), run.frame(limit).assign(count=0, kind="infinite")
    table = pd.concat([finite, infinite]).sort_values("data", key=lambda names: names != run.parameters.data)
    kinds = {**KINDS, "infinite": "infinitely many, Gaussian"}
    places = zip(table["data"], table["count"], strict=True)
    paper = [PAPER.get(data, {}).get(count) for data, count in places]
    table = table.assign(kind=table["kind"].map(kinds), paper=paper)
    return table[["data", "kind", "count", "seed", "accuracy", "images", "paper"]]


def limit_metric(run: Run) -> dict[str, Metric]:
    """Make the metric of the limit on colour images, if all of them were trained on."""
    table = run.frame(limit)
    table = table[(table["data"] == run.parameters.colour) & (table["images"] >= ALL_TRAINING_IMAGES)]
    return {} if table.empty else {ALL_IMAGES: metric(table, "accuracy")}


def draw_random(table: pd.DataFrame) -> Figure:
    """Draw the accuracy of regressions on random filters, a panel per data set."""
    names = list(dict.fromkeys(table["data"]))
    figure, panels = plt.subplots(1, len(names), figsize=(7.2, 3.4), squeeze=False)
    for axes, name in zip(panels[0], names, strict=True):
        part = table[table["data"] == name]
        finite = part[part["count"] > 0]
        for (kind, line), marker in zip(finite.groupby("kind", sort=False), "os", strict=False):
            means = line.groupby("count")["accuracy"].mean()
            axes.plot(means.index, means, marker=marker, label=kind)
        infinite = part.loc[part["count"] == 0, "accuracy"].mean()
        axes.axhline(infinite, linestyle="--", color=GREEN, label="infinitely many")
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
