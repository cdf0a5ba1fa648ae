"""Side studies of the fits: Adam's course, spread, faulty hardware, settings and certificates."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ntkd_lib.chapters.koopman.methods import LABELS, LEAST_SQUARES, PIXELS, best_trial
from ntkd_lib.chapters.koopman.page import BLUE, COLOURS, DATA, MARKERS, ORANGE, SHORT, SIZE, short_names
from ntkd_lib.chapters.koopman.studies.course import adam_course
from ntkd_lib.chapters.koopman.studies.hardware import faulty_accuracy
from ntkd_lib.chapters.koopman.studies.stability import refits
from ntkd_lib.chapters.koopman.work import least_squares
from ntkd_lib.chapters.run import Run
from ntkd_lib.lab import settings_text, unfold
from ntkd_lib.show import Column, draw_panels

CONDITION = (
    *(DATA, *SIZE, Column("One scale", "{common:,.0f}")),
    Column("Standardised scores", "{standardised:,.0f}"),
)
FAULTS = {"bits": "bits per weight", "noise": "noise (share of r.m.s.)", "missing": "dead functions (share)"}
SETTINGS = (
    *(Column("Method", "{label}"), DATA, *SIZE, Column("Settings", "{settings}")),
    Column("Validation", "{validation:.2f} %"),
)
CERTIFICATES = (
    *(Column("Method", "{label}"), DATA, SIZE[0]),
    Column("Largest gradient", lambda row: f"{row.gradient:.1e}"),
    Column("Largest gap", lambda row: f"{row.gap:.1e}"),
    *(Column("Steps", "{steps:.0f}"), Column("Passes", "{passes:.0f}"), Column("Seconds", "{seconds:.1f}")),
)


def excess_loss(run: Run) -> pd.DataFrame:
    """List Adam's excess loss over the optimum by order and epoch, and the seconds of Newton's method."""
    (row,) = run.frame(adam_course).itertuples()
    rows = [
        {"order": order, "epoch": epoch, "seconds": seconds, "excess": loss - row.optimum}
        for order, (losses, times) in enumerate(zip(row.losses, row.times, strict=True))
        for epoch, (loss, seconds) in enumerate(zip(losses, times, strict=True), 1)
    ]
    return pd.DataFrame(rows).assign(newton=row.optimum_seconds)


def draw_course(course: pd.DataFrame) -> Figure:
    """Plot Adam's excess loss over the certified optimum against time."""
    figure, axes = plt.subplots(figsize=(7.2, 3.2))
    for number, (_, part) in enumerate(course.groupby("order")):
        label = "Adam, one line per order of images" if number == 0 else None
        axes.plot(part["seconds"], part["excess"], marker=".", color=ORANGE, label=label)
    ended = "Newton has ended, gradient below 1e-6"
    axes.axvline(course["newton"].iloc[0], color=BLUE, linestyle="--", label=ended)
    axes.set(yscale="log", xlabel="CPU seconds, one thread", ylabel="loss − minimum")
    figure.legend(loc="outside upper left", ncols=2)
    return figure


def deviations(run: Run, table: pd.DataFrame) -> pd.DataFrame:
    """List deviations from the mean over seeds and over parts of the training images, digits at degree 2."""
    parts = run.frame(refits)["accuracies"].iloc[0]
    digits = table[(table["data"] == "mnist") & (table["degree"] == 2)]
    digits = digits[digits["components"] == run.parameters.side_size]
    rows = []
    for method in ("kd", "ce", "naive"):
        seeds = digits[digits["method"] == method]["accuracy"]
        for what, values in (("seeds", seeds), ("90 % of the images", parts[method])):
            common = {"method": method, "label": LABELS[method], "what": what}
            rows += [{**common, "deviation": value - np.mean(values)} for value in values]
    return pd.DataFrame(rows)


def draw_stability(deviations: pd.DataFrame) -> Figure:
    """Plot how accuracy varies over seeds and over parts of the training images."""
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


def conditions(run: Run) -> pd.DataFrame:
    """List condition numbers of the lifted training data of the first seed."""
    cells = run.frame(least_squares, condition=True)
    cells = cells.assign(data=cells["data"].map(short_names(run)))
    return unfold(cells[["degree", "data", "conditions"]], "conditions")


def faulty_accuracies(run: Run) -> pd.DataFrame:
    """List accuracies on imperfect hardware by method, fault, level and seed."""
    table = run.frame(faulty_accuracy).melt(["method", "seed"], list(FAULTS), "fault", "levels")
    rows = [
        {"method": r.method, "fault": r.fault, "level": float(level), "seed": r.seed, "accuracy": accuracy}
        for r in table.itertuples()
        for level, accuracy in r.levels.items()
    ]
    return pd.DataFrame(rows).assign(label=lambda rows: rows["method"].map(LABELS))


def draw_hardware(faults: pd.DataFrame) -> Figure:
    """Plot accuracy with few weight levels, noisy functions and dead functions."""
    draws = {"test accuracy (%)": _draw_levels}
    return draw_panels(faults, "fault", FAULTS, draws, "level", height=3.2, columns=4, sharey=True)


def _draw_levels(axes: Axes, part: pd.DataFrame) -> None:
    for method, own in part.groupby("method", sort=False):
        means = own.groupby("level")["accuracy"].mean()
        axes.plot(means.index, means, marker=MARKERS[method], color=COLOURS[method], label=SHORT[method])
    if "bits" in set(part["fault"]):
        axes.invert_xaxis()
    else:
        axes.set_xscale("log")


def settings(run: Run) -> pd.DataFrame:
    """List the settings that the search chose, each method at its chosen size."""
    extra = {1: [PIXELS.name], 2: ["kd_only"], 3: []}
    rows = []
    for source, data in short_names(run).items():
        for degree, method in ((q, name) for q in extra for name in (*extra[q], "kd", "ce", *LEAST_SQUARES)):
            sizes = None if method == PIXELS.name else run.parameters.sizes(degree)
            trial = best_trial(source, degree, method, sizes)
            words = settings_text(trial["settings"])
            rows.append({**trial, "settings": words, "data": data, "label": LABELS[method]})
    return pd.DataFrame(rows)


def certificates(table: pd.DataFrame) -> pd.DataFrame:
    """List certificates of how near the students' solutions are to their optimum."""
    solved = table[table["gradient"].notna() & table["chosen"]]
    worst = {"gradient": "max", "gap": "max", "steps": "mean", "passes": "mean", "seconds": "mean"}
    return solved.groupby(["data", "degree", "method", "label"], sort=False).agg(worst).reset_index()
