"""Charts and tables of notebook 07."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ntkd_lib.figures.claims import MINUS
from ntkd_lib.figures.html import Html, element, table

BLUE, ORANGE, GREEN, RED, PURPLE = sns.color_palette("colorblind")[:5]
LINES = {
    "full": (BLUE, "-"),
    "uniform": (ORANGE, "--"),
    "nint": (GREEN, "-"),
    "error_mix": (RED, ":"),
    "error_memory": (PURPLE, "-."),
}
PAPER_TIME = 48.99


def _signed(value: float, digits: int = 2) -> str:
    return f"{value:+.{digits}f}".replace("-", MINUS)


def draw_curves(curves: pd.DataFrame) -> Figure:
    """Draw quality against CPU time and against steps.

    Args:
        curves: One row a method and step.

    Returns:
        Two panels with bands from the lowest to the highest seed.
    """
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
    """Draw the time that samplers take to full batch's quality, image by image.

    Args:
        images: One row a method and image.
        order: Methods from top to bottom.

    Returns:
        A dot plot; a line marks the paper's best saving.
    """
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
    handles = [
        plt.Line2D([], [], marker=marker, color=colour, linestyle="", label=name)
        for name, (marker, colour) in entries.items()
    ]
    handles += [plt.Line2D([], [], color=c, linestyle="--", label=name) for name, c in (lines or {}).items()]
    axes.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=len(handles))


def draw_gains(qualities: pd.DataFrame) -> Figure:
    """Draw quality after equal steps, as difference to uniform sampling.

    Args:
        qualities: One row a method.

    Returns:
        A dot plot with intervals over seeds.
    """
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
    """Draw quality after equal CPU time, tuned, as difference to NINT.

    Args:
        timed: One row a method, image and seed.

    Returns:
        A dot plot; the bar is the mean.
    """
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
    """Draw what other settings of NINT change.

    Args:
        settings: One row a setting and image.

    Returns:
        A dot plot with a line at zero.
    """
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
    """Draw the saving of time by architecture and width.

    Args:
        networks: One row a network.

    Returns:
        A dot plot: NINT, uniform and error memory against full batch.
    """
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
    """Draw where samplers look on a signal of known spectrum.

    Args:
        spectrum: One row a method, span and band.

    Returns:
        A panel for each band: visits relative to an even draw against the end of the span.
    """
    bands = spectrum["frequency"].unique()
    figure, panels = plt.subplots(1, len(bands), figsize=(7.2, 3.2), sharey=True)
    styles = {**LINES, "ntk_kept": (BLUE, "-")}
    for axes, band in zip(panels, bands, strict=True):
        for method, part in spectrum[spectrum["frequency"] == band].groupby("method", sort=False):
            colour, style = styles[method]
            axes.plot(part["until"], part["visits"], style, color=colour, label=part["label"].iloc[0])
        axes.set_title(f"{band} cycles")
        axes.set_xlabel("until step")
    panels[0].set_ylabel("visits, even draw = 1")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper left", ncols=3)
    return figure


def draw_costs(costs: pd.DataFrame) -> Figure:
    """Draw the cost of a refresh against the number of points.

    Args:
        costs: One row a number of points.

    Returns:
        Lines of forward-equivalents.
    """
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


def savings_table(savings: pd.DataFrame) -> Html:
    """Show what each sampler saves against full batch, and how it stands to uniform.

    Args:
        savings: One row a method.

    Returns:
        Label, savings in CPU time, steps and forward-equivalents, ratios to uniform, missed targets.
    """
    rows = [
        (
            row.label,
            f"{_signed(row.cpu_saving, 1)} %",
            f"{_signed(row.step_saving, 1)} %",
            f"{_signed(row.forwards_saving, 1)} %",
            f"{row.to_uniform:.2f}",
            f"{row.forwards_to_uniform:.2f}",
            f"{row.images} of 4",
            f"{row.missed:.0f} %",
        )
        for row in savings.itertuples()
    ]
    headers = (
        "Sampler",
        "CPU time saved",
        "Steps saved",
        "Forwards saved",
        "Time, uniform = 1",
        "Forwards, uniform = 1",
        "Images with ≥ 49 %",
        "Targets missed",
    )
    return table(
        headers, rows, caption="To the quality that full batch has after 25, 50 and 75 % of its steps"
    )


def quality_table(qualities: pd.DataFrame) -> Html:
    """Show quality after equal steps.

    Args:
        qualities: One row a method.

    Returns:
        Label, PSNR at a quarter, half and the end, differences to uniform and to full batch.
    """
    rows = [
        (
            row.label,
            *(f"{value:.2f}" for value in (row.at_025, row.at_05, row.at_1)),
            f"{_signed(row.to_uniform)} [{_signed(row.uniform_low)}, {_signed(row.uniform_high)}]",
            f"{_signed(row.to_full)} [{_signed(row.full_low)}, {_signed(row.full_high)}]",
        )
        for row in qualities.rename(columns=lambda c: c.replace(".", "")).itertuples()
    ]
    headers = ("Sampler", "At 25 %", "At 50 %", "At the end", "Minus uniform", "Minus full batch")
    return table(headers, rows, caption="PSNR (dB) after equal steps, mean over images and seeds")


def paper_table() -> Html:
    """Show the paper's own table of quality, known second-hand, for comparison.

    Returns:
        Method, PSNR at 250, 1,000 and 5,000 steps.
    """
    rows = [
        ("full batch", "27.90", "31.67", "39.76"),
        ("uniform", "27.66", "31.14", "37.14"),
        ("EGRA", "27.67", "31.24", "37.39"),
        ("INT", "27.57", "31.19", "39.02"),
        ("EVOS", "28.02", "31.72", "37.56"),
        ("expansive supervision", "27.99", "32.15", "38.22"),
        ("NINT", "28.96", "32.64", "39.09"),
    ]
    headers = ("Sampler (the paper)", "250 steps", "1,000 steps", "5,000 steps")
    return table(headers, rows, caption="The paper's PSNR (dB), 512 × 512; which images is not known")


def search_table(trials: pd.DataFrame) -> Html:
    """Show the settings that the search chose.

    Args:
        trials: One row a sampler and trial.

    Returns:
        Label, learning rate, share, quality, number of trials.
    """
    counts = trials["method"].value_counts()
    rows = [
        (t.label, f"{t.lr:g}", f"{100 * t.share:.3g} %", f"{t.quality:.2f} dB", str(counts[t.method]))
        for t in trials[trials["chosen"]].itertuples()
    ]
    headers = ("Sampler", "Learning rate", "Share", "PSNR on the tuning images", "Trials")
    return table(headers, rows, caption="What the search chose, for equal CPU time")


def others_table(others: pd.DataFrame) -> Html:
    """Show sound and shapes.

    Args:
        others: One row a signal, method and seed.

    Returns:
        Signal, sampler, quality, difference to full batch.
    """
    units = {"torus": "%", "bunny-small": "%"}
    means = others.groupby(["signal", "label"], sort=False)[["quality", "gap"]].mean().reset_index()
    rows = [
        (
            r.signal,
            r.label,
            f"{r.quality:.2f} {units.get(r.signal, 'dB')}".replace("-", MINUS),
            _signed(r.gap),
        )
        for r in means.itertuples()
    ]
    headers = ("Signal", "Sampler", "SI-SNR or intersection over union", "Minus full batch")
    return table(headers, rows, caption="In the CPU time of full batch")


def looks_table(looks: pd.DataFrame) -> Html:
    """Show what was seen of the diagonal of the tangent kernel.

    Args:
        looks: One row a step.

    Returns:
        Step, ratio of percentiles, rank correlations.
    """
    rows = [
        (f"{r.step:.0f}", f"{r.ratio:.1f}", *(_signed(v) for v in (r.edges, r.prediction, r.error)))
        for r in looks.itertuples()
    ]
    headers = (
        "Step",
        "99th / 1st percentile of θ(x, x)",
        "Rank correlation with edges",
        "Score with the released one",
        "Score with the error",
    )
    return table(headers, rows, caption="Self-leverage, means over images and seeds")


def cost_table(overhead: dict[str, object], million: dict[str, object]) -> Html:
    """Show what samplers add to a step, and a refresh of very many points.

    Args:
        overhead: What the cell of that name measured.
        million: What the cell of that name measured.

    Returns:
        Quantity and value.
    """
    step = overhead["seconds"]
    rows = [
        ("uniform step", f"{1e3 * step['step']:.0f} ms"),
        ("choosing, uniform", f"{100 * step['uniform'] / step['step']:.2f} % of the step"),
        (
            "choosing and remembering, error memory",
            f"{100 * step['error_memory'] / step['step']:.2f} % of the step",
        ),
        ("refresh of very many points, forward-equivalents", f"{_forwards(million):.2f}"),
        ("rise of memory during it", f"{million['rise']:.0f} MiB"),
        ("all its activations would take", f"{million['everything']:,.0f} MiB"),
    ]
    return table(("Quantity", "Measured"), rows, caption="What choosing costs")


def _forwards(million: dict[str, object]) -> float:
    return million["seconds"]["refresh"] / million["seconds"]["forward"]


def plain_table(rows: pd.DataFrame, headers: Sequence[str], caption: str, digits: int = 3) -> Html:
    """Show a data frame as it is.

    Args:
        rows: Few rows.
        headers: One a column.
        caption: Caption.
        digits: Significant digits of numbers.

    Returns:
        A table.
    """
    cells = [
        [f"{v:,.{digits}g}".replace("-", MINUS) if isinstance(v, float) else str(v) for v in row]
        for row in rows.itertuples(index=False)
    ]
    return table(headers, cells, caption=caption)


def answer(savings: pd.DataFrame, timed: pd.DataFrame, qualities: pd.DataFrame) -> Html:
    """Say in words and numbers what came out.

    Args:
        savings: One row a method.
        timed: One row a method, image and seed.
        qualities: One row a method.

    Returns:
        A paragraph.
    """
    by = savings.set_index("method")
    gaps = timed.groupby("method")["gap"].mean()
    end = qualities.set_index("method")["to_uniform"]
    ntk = end["nint"] - end["error_mix"]
    text = (
        f"Against full batch NINT saves {by.cpu_saving['nint']:.0f} % of CPU time, uniform sampling "
        f"{by.cpu_saving['uniform']:.0f} %, error memory {by.cpu_saving['error_memory']:.0f} %. "
        f"After equal steps NINT is {_signed(end['nint'])} dB to uniform; without its kernel, "
        f"{_signed(end['error_mix'])} dB, so that the kernel's part is {_signed(ntk)} dB. "
        f"After equal CPU time, all tuned alike, uniform is {_signed(gaps['uniform'])} dB and error memory "
        f"{_signed(gaps['error_memory'])} dB to NINT."
    )
    return element("p", element("strong", "Measured here. "), text)
