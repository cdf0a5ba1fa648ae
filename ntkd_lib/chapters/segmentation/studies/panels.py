"""Example masks: on drawings, or on photographs that stay with the user if `show_images` is set."""

from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, UInt8
from matplotlib.figure import Figure
from torch import nn

from ntkd_lib.chapters.optical_students.mask_methods import MASKS
from ntkd_lib.chapters.optical_students.masks import restore, restore_teacher, student, teacher
from ntkd_lib.chapters.run import Run
from ntkd_lib.chapters.segmentation.page import SHORT
from ntkd_lib.chapters.segmentation.plan import PANEL_METHODS
from ntkd_lib.data.catalogue import CARVANA
from ntkd_lib.data.masks import load_masks
from ntkd_lib.distill import mean_iou, predict_masks
from ntkd_lib.optics.segmentation import carvana_student
from ntkd_lib.show import BLUE, ORANGE, Html, element

IMAGES = 4


@dataclass(frozen=True)
class Panels:
    """Test images of a data set, their masks, and predicted masks and their mean IoU (%) by network."""

    data: str
    images: UInt8[np.ndarray, "n 3 h w"]
    masks: Bool[np.ndarray, "n h w"]
    guesses: dict[str, Bool[np.ndarray, "n h w"]]
    scores: dict[str, float]


def panels(run: Run, count: int = IMAGES) -> Panels:
    """Select test images, evenly spaced, and predict their masks with networks trained on the same data."""
    name = run.parameters.shown_data
    test = load_masks(name, "test")
    rows = np.linspace(0, len(test.images) - 1, count + 2).round().astype(int)[1:-1]
    images, masks = test.images[rows], test.masks[rows]
    guesses = {label: predict_masks(net, images) for label, net in _networks(run, name).items()}
    shown = {label: guess.numpy() for label, guess in guesses.items()}
    scores = {label: mean_iou(guess, masks) for label, guess in guesses.items()}
    return Panels(name, images.numpy(), masks.numpy(), shown, scores)


def _networks(run: Run, data: str) -> dict[str, nn.Module]:
    networks = {"teacher": restore_teacher(run.select(teacher, data=data)[0])}
    for method in PANEL_METHODS:
        record = run.select(student, data=data, method=MASKS.method(method).name)[0]
        networks[SHORT[method]] = restore(carvana_student(), record)
    return networks


def draw_panels(panels: Panels) -> Figure:
    """Draw images, true masks and errors of each network."""
    names = list(panels.guesses)
    count = len(panels.images)
    figure, grid = plt.subplots(count, 1 + len(names), figsize=(7.2, 1.05 * count + 0.5), squeeze=False)
    for row, row_axes in enumerate(grid):
        row_axes[0].imshow(panels.images[row].transpose(1, 2, 0))
        row_axes[0].contour(panels.masks[row], levels=[0.5], colors=[ORANGE], linewidths=0.8)
        for axes, name in zip(row_axes[1:], names, strict=True):
            axes.imshow(error_map(panels.guesses[name][row], panels.masks[row]))
    for axes, title in zip(grid[0], ("image and mask", *names), strict=True):
        axes.set_title(title, fontsize=9)
    for axes in grid.flat:
        axes.set(xticks=[], yticks=[])
        axes.grid(visible=False)
    return figure


def error_map(guess: Bool[np.ndarray, "h w"], mask: Bool[np.ndarray, "h w"]) -> Float[np.ndarray, "h w 3"]:
    """Colour the errors of a predicted mask."""
    colours = np.where(mask[..., None], 0.85, 0.3) * np.ones(3)
    colours[mask & ~guess] = BLUE
    colours[guess & ~mask] = ORANGE
    return colours


def pixel_errors(panels: Panels) -> pd.DataFrame:
    """Compute the shares of missed and wrongly marked pixels per image and network, in percent."""
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


def terms() -> Html:
    """Show the terms of use of the photographs."""
    return element("p", element("strong", "Terms of the data. "), f"{CARVANA.licence}.")
