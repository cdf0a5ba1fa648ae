"""Table and figure of the detectors on real tables, from what is recorded."""

from itertools import product

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from ntkd_lib.chapters.overfitting.studies.detection import METHODS, PINK
from ntkd_lib.chapters.overfitting.studies.tables import FITS, KINDS, SPACE
from ntkd_lib.lab import load_claims, recorded_metrics, seed_rows
from ntkd_lib.lab.statistics import bootstrap_interval
from ntkd_lib.show import Column

LEVEL = 10  # of the claims, percent
STYLES = {
    "spectral": METHODS["spectral_rise"],
    "z": METHODS["z"],
    "training": METHODS["low_training_error"],
    "holdout": ("holdout, the network trained on the rest", PINK, "-"),
    "gdf": METHODS["gdf_rise"],
    "holdout_refit": ("holdout, by a refit", *METHODS["holdout_rise"][1:]),
    "cv": METHODS["cv_rise"],
}
RATES = (
    Column("Detector", "{label}"),
    Column("Fits", "{fits}"),
    Column("Power", "{power:.0f} % [{power_low:.0f}, {power_high:.0f}]"),
    Column("False alarms", "{false_alarms:.0f} % [{false_alarms_low:.0f}, {false_alarms_high:.0f}]"),
    Column("Power minus the spectral estimate's", "{gap:+.0f} [{gap_low:+.0f}, {gap_high:+.0f}]"),
    Column("Ahead of it", "{wins:.0f} of {tables:.0f} tables"),
)


def recorded_rates() -> pd.DataFrame:
    """Average power and false alarms over tables, with bootstrap intervals: a row per detector and level."""
    levels = load_claims().protocols["real tables"].parameters["levels"]
    names = {key: f"{SPACE}.{key[0]}.{key[1]}.l{key[2]}" for key in product(FITS, KINDS, levels)}
    columns = ["detector", "kind", "level", "seed", "value"]
    values = seed_rows(recorded_metrics("05_real_tables"), names, columns).set_index("seed")
    rows = []
    for (detector, level), part in values.groupby(["detector", "level"], sort=False):
        row = {"detector": detector, "label": STYLES[detector][0], "fits": FITS[detector], "level": level}
        own = {kind: each["value"] for kind, each in part.groupby("kind")}
        if detector != "spectral":
            ours = values.query("detector == 'spectral' and kind == 'power' and level == @level")["value"]
            own["gap"] = (own["power"] - ours).dropna()
            row |= {"wins": (own["gap"] > 0).sum(), "tables": len(own["gap"])}
        for name, each in own.items():
            low, high = bootstrap_interval(list(each))
            row |= {name: each.mean(), f"{name}_low": low, f"{name}_high": high}
        rows.append(row)
    return pd.DataFrame(rows)


def at_level(rates: pd.DataFrame) -> pd.DataFrame:
    """Select the rows of the claims' level."""
    return rates[rates["level"] == LEVEL] if len(rates) else rates


def draw_rates(rates: pd.DataFrame) -> Figure:
    """Draw power against false alarms, a line per detector over the levels; bars at the claims' level."""
    figure, axes = plt.subplots(figsize=(7.2, 4.8))
    for detector, part in rates.groupby("detector", sort=False):
        name, colour, line = STYLES[detector]
        label = f"{name}, {FITS[detector]} fit{'s' * (FITS[detector] != 1)}"
        axes.plot(part["false_alarms"], part["power"], line, color=colour, marker=".", label=label)
        (row,) = at_level(part).itertuples()
        axes.plot(row.false_alarms, row.power, "o", color=colour, markersize=6)
        axes.plot([row.false_alarms] * 2, [row.power_low, row.power_high], color=colour, linewidth=1)
        axes.plot([row.false_alarms_low, row.false_alarms_high], [row.power] * 2, color=colour, linewidth=1)
    axes.set(xlabel="false alarms (%)", ylabel="power (%)")
    figure.legend(loc="outside upper left", ncols=2, fontsize=9)
    return figure
