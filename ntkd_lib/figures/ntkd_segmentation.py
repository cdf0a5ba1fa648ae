"""Figures of notebook 02; its tables are in a module of their own."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ntkd_lib.experiments.ntkd_segmentation.panels import Panels
from ntkd_lib.figures import dots

BLUE, ORANGE = sns.color_palette("colorblind")[:2]
LOWEST = 60


def draw_miou(scores: pd.DataFrame, summary: pd.DataFrame) -> Figure:
    """Draw test mIoU by student: a dot a seed, the mean with its interval, the paper's value.

    Args:
        scores: One row a student and seed.
        summary: One row a student.

    Returns:
        A dot plot with students along the vertical axis.
    """
    figure, axes = plt.subplots(figsize=(7.2, 0.34 * len(summary) + 1.2))
    dots.draw_scores(axes, summary, [scores[scores["method"] == name]["miou"] for name in summary["method"]])
    axes.set_xlabel("test mIoU over car and background (%)")
    _key(axes, {"ours: mean, 95 % interval, seeds": ("o", BLUE), "paper": ("D", ORANGE)})
    return figure


def _key(axes: Axes, entries: dict[str, tuple[str, object]]) -> None:
    handles = dots.key_handles(entries)
    axes.legend(handles=handles, loc="lower right", bbox_to_anchor=(1, 1), ncols=len(handles))


def draw_differences(gaps: pd.DataFrame) -> Figure:
    """Draw paired differences of test mIoU with their intervals.

    Args:
        gaps: One row a pair.

    Returns:
        A dot plot with a line at zero.
    """
    return dots.draw_differences(gaps, "test mIoU (points)")


def draw_curves(curves: pd.DataFrame) -> Figure:
    """Draw validation mIoU over training.

    Args:
        curves: One row a method and evaluation.

    Returns:
        Lines with bands from the lowest to the highest seed.
    """
    figure, axes = plt.subplots()
    markers = iter("osD^v")
    for name, part in curves.groupby("method", sort=False):
        (line,) = axes.plot(part["share"], part["mean"], marker=next(markers), label=name)
        band = {"color": line.get_color(), "alpha": 0.2, "linewidth": 0}
        axes.fill_between(part["share"], part["low"], part["high"], **band)
    axes.set_xlabel("share of training steps (%)")
    axes.set_ylabel("validation mIoU (%)")
    axes.legend()
    return figure


def draw_trials(trials: pd.DataFrame) -> Figure:
    """Draw the validation mIoU of every trial of the search; the chosen ones are filled.

    Args:
        trials: One row a trial.

    Returns:
        A dot plot; trials below 60 % are drawn at the left edge.
    """
    labels = list(dict.fromkeys(trials["label"]))
    figure, axes = plt.subplots(figsize=(7.2, 0.3 * len(labels) + 1.2))
    places = trials["validation"].clip(lower=LOWEST)
    shown = trials.assign(shown=places, row=trials["label"].map(labels.index))
    for chosen, part in shown.groupby("chosen"):
        style = {"color": ORANGE, "s": 40} if chosen else {"facecolor": "none", "edgecolor": BLUE, "s": 22}
        axes.scatter(part["shown"], part["row"], marker="D" if chosen else "o", zorder=2 + chosen, **style)
    axes.set_yticks(range(len(labels)), labels)
    axes.invert_yaxis()
    axes.set_xlabel(f"validation mIoU (%); below {LOWEST} % drawn at {LOWEST} %")
    _key(axes, {"trial": ("o", BLUE), "chosen": ("D", ORANGE)})
    return figure


def draw_panels(panels: Panels) -> Figure:
    """Draw images, true masks and errors of each network.

    Args:
        panels: Images, masks and guesses.

    Returns:
        A grid: a row an image; the image, then one error map a network.
    """
    names = list(panels.guesses)
    count = len(panels.images)
    figure, grid = plt.subplots(count, 1 + len(names), figsize=(7.2, 1.05 * count + 0.5), squeeze=False)
    for row, line in enumerate(grid):
        line[0].imshow(panels.images[row].transpose(1, 2, 0))
        line[0].contour(panels.masks[row], levels=[0.5], colors=[ORANGE], linewidths=0.8)
        for axes, name in zip(line[1:], names, strict=True):
            axes.imshow(error_map(panels.guesses[name][row], panels.masks[row]))
    for axes, title in zip(grid[0], ("image and mask", *names), strict=True):
        axes.set_title(title, fontsize=9)
    for axes in grid.flat:
        axes.set(xticks=[], yticks=[])
        axes.grid(visible=False)
    return figure


def error_map(guess: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Colour a guessed mask by what is wrong with it.

    Args:
        guess: Guessed mask, ``(h, w)``.
        mask: True mask, ``(h, w)``.

    Returns:
        Colours ``(h, w, 3)``: dark grey background, light grey car, blue where the car was missed, orange
        where background was taken for car.
    """
    colours = np.where(mask[..., None], 0.85, 0.3) * np.ones(3)
    colours[mask & ~guess] = BLUE
    colours[guess & ~mask] = ORANGE
    return colours


def panel_data(panels: Panels) -> pd.DataFrame:
    """List what the panels count, pixels aside.

    Args:
        panels: Images, masks and guesses.

    Returns:
        One row an image and network: shares of missed and of wrongly taken pixels in percent.
    """
    return pd.DataFrame(
        {
            "image": row,
            "network": name,
            "missed": 100 * (panels.masks[row] & ~guess[row]).mean(),
            "taken": 100 * (guess[row] & ~panels.masks[row]).mean(),
        }
        for name, guess in panels.guesses.items()
        for row in range(len(panels.masks))
    )
