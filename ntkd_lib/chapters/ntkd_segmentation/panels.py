"""Images for the panels: drawings, unless the user asks for photographs that stay with the user."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, UInt8
from torch import nn

from ntkd_lib.chapters.ntkd_segmentation.plan import DRAWN, SHOWN
from ntkd_lib.chapters.ntkd_segmentation.settings import chosen_form
from ntkd_lib.chapters.ntkd_segmentation.summary import short_label
from ntkd_lib.chapters.ntkd_segmentation.teacher import restore, restore_teacher
from ntkd_lib.chapters.run import Run
from ntkd_lib.data.masks import load_masks
from ntkd_lib.distill.mask_scores import mean_iou
from ntkd_lib.distill.mask_training import predict_masks
from ntkd_lib.optics.segmentation import carvana_student

IMAGES = 4


@dataclass(frozen=True)
class Panels:
    """Test images with their masks and what networks make of them.

    Attributes:
        data: Data set that they come from.
        images: Pixels from 0 to 255.
        masks: True masks.
        guesses: Guessed masks by the network's name.
        scores: Mean IoU of these images in percent by the network's name.
    """

    data: str
    images: UInt8[np.ndarray, "n 3 h w"]
    masks: Bool[np.ndarray, "n h w"]
    guesses: dict[str, Bool[np.ndarray, "n h w"]]
    scores: dict[str, float]


def shown_data(run: Run) -> str:
    """Name the data set whose images a page may show."""
    return run.parameters.data if run.parameters.show_images else DRAWN


def panels(run: Run, count: int = IMAGES) -> Panels:
    """Give some test images, evenly spaced, and the masks that networks trained on their like guess."""
    name = shown_data(run)
    test = load_masks(name, "test")
    rows = np.linspace(0, len(test.images) - 1, count + 2).round().astype(int)[1:-1]
    images, masks = test.images[rows], test.masks[rows]
    guesses = {label: predict_masks(net, images) for label, net in _networks(run, name).items()}
    return Panels(
        name,
        images.numpy(),
        masks.numpy(),
        {label: guess.numpy() for label, guess in guesses.items()},
        {label: mean_iou(guess, masks) for label, guess in guesses.items()},
    )


def _networks(run: Run, name: str) -> dict[str, nn.Module]:
    seed = 0 if name != run.parameters.data else run.parameters.all_seeds[0]
    found: dict[str, nn.Module] = {"teacher": restore_teacher(run.records[f"{name}/teacher"])}
    for method in SHOWN:
        record = run.records[f"{name}/{chosen_form() if method == 'ntkd' else method}/seed={seed}"]
        found[short_label(method)] = restore(carvana_student(), record)
    return found
