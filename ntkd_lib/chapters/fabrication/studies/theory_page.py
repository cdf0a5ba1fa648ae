"""How the tangent kernel's change falls with the number of filters: rows, slopes, metrics and figure."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ntkd_lib.chapters.fabrication.studies.theory import theory
from ntkd_lib.chapters.run import Run
from ntkd_lib.lab.evidence import Metric, Point
from ntkd_lib.show import Column, with_minus

TOTAL = "fixed total error"
LABELS = {"total": TOTAL, "weight": "fixed error per weight", "linear": f"{TOTAL}, no ReLU"}
METRICS = {"total": "fixed_total", "weight": "fixed_weight", "linear": "fixed_total_linear"}
COLUMNS = (
    Column("Reading", "{label}"),
    Column("Slope", "{slope:.3f}"),
    Column("Over networks", "{low:.3f} to {high:.3f}"),
    Column("Last doubling", "{last:.3f}"),
)


def rows(run: Run) -> pd.DataFrame:
    """List the relative change of the tangent kernel: a row per network, reading and width."""
    table = run.frame(theory).rename_axis("network").reset_index()
    long = table.melt(
        ["network", "seed", "filters", "data", "cell"], [*LABELS], var_name="reading", value_name="change"
    ).sort_values("network", kind="stable")
    long = long.explode(["filters", "change"], ignore_index=True).astype({"filters": int, "change": float})
    return long.assign(label=long["reading"].map(LABELS))


def metrics(table: pd.DataFrame) -> dict[str, Metric]:
    """Collect the series of every reading, on logarithmic axes."""
    return {
        f"ntkd.theory.ntk_change_{METRICS[reading]}": _series(part)
        for reading, part in table.groupby("reading", sort=False)
    }


def _series(table: pd.DataFrame) -> Metric:
    seeds = {int(seed): part for seed, part in table.groupby("seed", sort=False)}
    series = [
        [Point(x=float(np.log10(row.filters)), y=float(np.log10(row.change))) for row in part.itertuples()]
        for part in seeds.values()
    ]
    cells = list(dict.fromkeys(table["cell"]))
    return Metric(seeds=list(seeds), series=series, data=sorted(set(table["data"])), cells=cells)


def slopes(table: pd.DataFrame) -> pd.DataFrame:
    """Fit a line to the logarithms of each seed's changes."""
    fits = []
    for label, part in table.groupby("label", sort=False):
        own = [_slope(p) for _, p in part.groupby("seed")]
        last = part[part["filters"] >= part["filters"].max() / 2]
        ends = {"slope": np.mean(own), "low": min(own), "high": max(own)}
        fits.append({"label": label, **ends, "last": np.mean([_slope(p) for _, p in last.groupby("seed")])})
    return pd.DataFrame(fits)


def _slope(part: pd.DataFrame) -> float:
    return float(np.polyfit(np.log10(part["filters"]), np.log10(part["change"]), 1)[0])


def draw(table: pd.DataFrame, fits: pd.DataFrame) -> Figure:
    """Draw the relative change of the tangent kernel against the number of filters."""
    figure, axes = plt.subplots(figsize=(7.2, 4.2))
    fitted, markers = fits.set_index("label")["slope"], iter("osD")
    for label, part in table.groupby("label", sort=False):
        logs = part.assign(change=np.log10(part["change"])).groupby("filters")["change"]
        mean, low, high = (10**values for values in (logs.mean(), logs.min(), logs.max()))
        name = with_minus(f"{label}: slope {fitted[label]:.2f}")
        (line,) = axes.plot(mean.index, mean, marker=next(markers), label=name)
        axes.fill_between(mean.index, low, high, color=line.get_color(), alpha=0.15, linewidth=0)
    ends = np.array([table["filters"].min(), table["filters"].max()])
    start = table[(table["reading"] == "total") & (table["filters"] == ends[0])]["change"].median()
    edge = plt.rcParams["axes.edgecolor"]
    axes.plot(ends, start * ends[0] / ends, color=edge, linestyle=":", label="slope −1")
    axes.set(xscale="log", yscale="log", xlabel="filters", ylabel="relative change of the kernel")
    figure.legend(loc="outside upper left", ncols=2)
    return figure
