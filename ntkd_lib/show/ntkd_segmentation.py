"""Figures of notebook 02; its tables are in a module of their own."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ntkd_lib.chapters.ntkd_segmentation.panels import Panels
from ntkd_lib.show import dots

BLUE, ORANGE = sns.color_palette("colorblind")[:2]


def draw_miou(scores: pd.DataFrame, summary: pd.DataFrame) -> Figure:
    """Draw test mIoU by student: a dot a seed, the mean with its interval, the paper's value."""
    figure, axes = plt.subplots(figsize=(7.2, 0.34 * len(summary) + 1.2))
    dots.draw_scores(axes, summary, [scores[scores["method"] == name]["miou"] for name in summary["method"]])
    axes.set_xlabel("test mIoU over car and background (%)")
    _key(axes, {"ours: mean, 95 % interval, seeds": ("o", BLUE), "paper": ("D", ORANGE)})
    return figure


def _key(axes: Axes, entries: dict[str, tuple[str, object]]) -> None:
    handles = dots.key_handles(entries)
    axes.legend(handles=handles, loc="lower right", bbox_to_anchor=(1, 1), ncols=len(handles))


def draw_differences(gaps: pd.DataFrame) -> Figure:
    """Draw paired differences of test mIoU with their intervals."""
    return dots.draw_differences(gaps, "test mIoU (points)")


def draw_panels(panels: Panels) -> Figure:
    """Draw images, true masks and errors of each network."""
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
    """Colour a guessed mask by what is wrong with it."""
    colours = np.where(mask[..., None], 0.85, 0.3) * np.ones(3)
    colours[mask & ~guess] = BLUE
    colours[guess & ~mask] = ORANGE
    return colours


def panel_data(panels: Panels) -> pd.DataFrame:
    """List what the panels count, pixels aside."""
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
