"""Figures and tables of searches and training, shared by chapters."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from ntkd_lib.show.columns import Column
from ntkd_lib.show.dots import BLUE, ORANGE, key_handles, name_rows
from ntkd_lib.show.html import Html, table


def draw_curves(curves: pd.DataFrame, along: tuple[str, str], quantity: str) -> Figure:
    """Draw mean curves over training, with bands from lowest to highest."""
    figure, axes = plt.subplots()
    markers = iter("osD^v")
    column, name_of_column = along
    for name, part in curves.groupby("method", sort=False):
        (line,) = axes.plot(part[column], part["mean"], marker=next(markers), label=name)
        band = {"color": line.get_color(), "alpha": 0.2, "linewidth": 0}
        axes.fill_between(part[column], part["low"], part["high"], **band)
    axes.set(xlabel=name_of_column, ylabel=quantity)
    axes.legend()
    return figure


def draw_trials(trials: pd.DataFrame, quantity: str, lowest: float) -> Figure:
    """Draw the validation score of every trial of a search; the chosen ones are filled."""
    labels = list(dict.fromkeys(trials["label"]))
    figure, axes = plt.subplots(figsize=(7.2, 0.3 * len(labels) + 1.2))
    places = trials["validation"].clip(lower=lowest)
    shown = trials.assign(shown=places, row=trials["label"].map(labels.index))
    for chosen, part in shown.groupby("chosen"):
        style = {"color": ORANGE, "s": 40} if chosen else {"facecolor": "none", "edgecolor": BLUE, "s": 22}
        axes.scatter(part["shown"], part["row"], marker="D" if chosen else "o", zorder=2 + chosen, **style)
    name_rows(axes, labels)
    axes.set_xlabel(f"{quantity} (%); below {lowest:g} % drawn at {lowest:g} %")
    handles = key_handles({"trial": ("o", BLUE), "chosen": ("D", ORANGE)})
    axes.legend(handles=handles, loc="lower right", bbox_to_anchor=(1, 1), ncols=len(handles))
    return figure


SETTINGS = (
    *(Column("Student", "{label}"), Column("Best trial", "{settings}")),
    *(Column("Its validation score", "{validation:.2f} %"), Column("Trials", "{count}")),
    Column("This run trains with", "{trained}"),
)


def best_trials(trials: pd.DataFrame) -> pd.DataFrame:
    """Select the best trial of each method, beside the number of its trials."""
    counted = trials.assign(count=trials.groupby("method")["method"].transform("size"))
    return counted[counted["chosen"]]


def space_table(rows: Sequence[tuple[str, str]], caption: str) -> Html:
    """Show the spaces of searches."""
    return table(("Students", "Drawn from"), rows, caption=caption)
