"""Visits of samplers on an image of known spectrum: vertical bands, each one wave of one frequency."""

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from ntkd_lib.chapters.nint.methods import LABELS, entrant, race_cell
from ntkd_lib.chapters.nint.page import LINES
from ntkd_lib.chapters.nint.parameters import NintParameters
from ntkd_lib.chapters.nint.work import Subject, race
from ntkd_lib.chapters.run import Run
from ntkd_lib.lab.cells import Cell
from ntkd_lib.show.dots import BLUE

WAVES = ("uniform", "nint", "ntk_kept", "error_mix", "error_memory")
FREQUENCIES = (1, 3, 6, 10)
PARTS = (8, 4, 2, 1)  # visits are counted up to these parts of the steps


def cells(p: NintParameters) -> list[Cell]:
    """Describe the race on the waves."""
    entrants, windows = [entrant(m, 5e-4) for m in WAVES], [p.side_steps // part for part in PARTS]
    subject = Subject("waves", p.side, "waves", FREQUENCIES)
    return [race_cell(p, "waves", None, subject, p.all_seeds[0], entrants, windows=windows)]


def visits(run: Run) -> pd.DataFrame:
    """List the visits of each band and span of training, relative to an even draw."""
    (record,) = run.select(race, study="waves")
    ends, side = [run.parameters.side_steps // part for part in PARTS], run.parameters.side
    rows = []
    for method in WAVES:
        counts = record.arrays[f"visits.{method}"].astype(float)
        bands = counts.reshape(len(ends), side, len(FREQUENCIES), -1).mean((1, 3))
        rows += [
            {"method": method, "label": LABELS[method], "until": end, "frequency": f, "visits": share}
            for end, line in zip(ends, bands / bands.mean(1, keepdims=True), strict=True)
            for f, share in zip(FREQUENCIES, line, strict=True)
        ]
    return pd.DataFrame(rows)


def draw(table: pd.DataFrame) -> Figure:
    """Draw the visits of each band against the step."""
    bands = table["frequency"].unique()
    figure, panels = plt.subplots(1, len(bands), figsize=(7.2, 3.2), sharey=True)
    styles = {**LINES, "ntk_kept": (BLUE, "-")}
    for axes, band in zip(panels, bands, strict=True):
        for method, part in table[table["frequency"] == band].groupby("method", sort=False):
            colour, style = styles[method]
            axes.plot(part["until"], part["visits"], style, color=colour, label=part["label"].iloc[0])
        axes.set(title=f"{band} cycle{'s' if band > 1 else ''}", xlabel="until step")
    panels[0].set_ylabel("visits, even draw = 1")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper left", ncols=3)
    return figure
