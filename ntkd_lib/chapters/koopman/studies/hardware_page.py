"""Accuracy on imperfect hardware: frame and figure."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from ntkd_lib.chapters.koopman.page import COLOURS, LABELS, MARKERS, SHORT
from ntkd_lib.chapters.koopman.studies.hardware import faulty_accuracy
from ntkd_lib.chapters.run import Run

FAULTS = {"bits": "bits per weight", "noise": "noise (share of r.m.s.)", "missing": "dead functions (share)"}


def faulty_accuracies(run: Run) -> pd.DataFrame:
    """List accuracies on imperfect hardware by method, fault, level and seed."""
    table = run.frame(faulty_accuracy).melt(["method", "seed"], list(FAULTS), "fault", "levels")
    rows = [
        {
            "method": row.method,
            "fault": row.fault,
            "level": float(level),
            "seed": row.seed,
            "accuracy": accuracy,
        }
        for row in table.itertuples()
        for level, accuracy in row.levels.items()
    ]
    return pd.DataFrame(rows).assign(label=lambda rows: rows["method"].map(LABELS))


def draw_hardware(faults: pd.DataFrame) -> Figure:
    """Plot accuracy with few weight levels, noisy functions and dead functions."""
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
