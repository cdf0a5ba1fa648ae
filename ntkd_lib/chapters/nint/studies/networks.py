"""Savings of samplers on other architectures, and on wider and narrower SIRENs."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ntkd_lib.chapters.nint.methods import LABELS, LR, entrant, finished_races, race_cell
from ntkd_lib.chapters.nint.parameters import NintParameters
from ntkd_lib.chapters.nint.work import NetworkShape
from ntkd_lib.chapters.run import Run
from ntkd_lib.inr.metrics import crossing, value_at
from ntkd_lib.lab import Cell, Data
from ntkd_lib.show.dots import GREEN, ORANGE, PURPLE, draw_key, row_axes

RATES = {
    "SIREN": ("siren", 5e-4), "MLP": ("mlp", 2e-3), "MLP, encoded positions": ("pemlp", 2e-3),
    "FFN": ("ffn", 2e-3), "Gauss": ("gauss", 2e-3), "FINER": ("finer", 5e-4), "WIRE": ("wire", 2e-3),
    "hash grid": ("hashgrid", 1e-2),
}  # fmt: skip
FEW = ("full", "uniform", "nint", "error_memory")
SHOWN = {"nint": ("o", GREEN), "uniform": ("s", ORANGE), "error_memory": ("D", PURPLE)}


def cells(p: NintParameters, signals: Data, image: str) -> list[Cell]:
    """Describe one race per network on an image."""
    networks = [(name, NetworkShape(kind, p.width), lr) for name, (kind, lr) in RATES.items()]
    seed, widths = p.all_seeds[0], (p.width // 2, p.width, 2 * p.width)
    networks += [(f"SIREN, width {width}", NetworkShape("siren", width), LR) for width in widths]
    return [
        race_cell(p, "networks", signals, image, seed, entrants, {"shown": shown, "lr": lr}, network=network)
        for shown, network, lr in networks
        for entrants in [[entrant(method, lr) for method in FEW]]
    ]


def compare(run: Run) -> pd.DataFrame:
    """List the time saved to full batch's quality at half of its steps, and the last quality."""
    return pd.DataFrame(
        {"network": row.shown, "lr": row.lr, **_compare_curves(row.curves)}
        for row in finished_races(run, study="networks").itertuples()
    )


def _compare_curves(curves: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    full = curves["full"]
    target = value_at(full["quality"], full["step"], full["step"][-1] / 2)
    base = crossing(full["quality"], full["cpu"], target)
    row: dict[str, float] = {"target": target}
    for method, curve in curves.items():
        place = crossing(curve["quality"], curve["cpu"], target)
        row[f"{method}_saving"] = np.nan if place is None or not base else 100 * (1 - place / base)
        row[f"{method}_end"] = curve["quality"][-1]
    return row


def draw(table: pd.DataFrame) -> Figure:
    """Draw the saving of time by architecture and width."""
    figure, axes = row_axes(list(table["network"]), "CPU time saved against full batch (%)")
    for method, (marker, colour) in SHOWN.items():
        axes.scatter(table[f"{method}_saving"], range(len(table)), marker=marker, s=30, color=colour)
    draw_key(axes, {LABELS[method]: style for method, style in SHOWN.items()})
    return figure
