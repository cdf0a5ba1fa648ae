"""What every cell of notebook 02 starts from: seeds, images and masks of the three groups of cars."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ntkd_lib.data.mask_pairs import Part
from ntkd_lib.data.masks import load_masks
from ntkd_lib.distill.mask_training import Masks
from ntkd_lib.lab.seeds import deterministic

FOLLOWED = 8  # every so many validation images are looked at during training


@dataclass(frozen=True)
class Setting:
    """Data of one cell.

    Attributes:
        train: Images of the training cars.
        held_out: Images of the validation cars.
        test: Images of the test cars, read once, after training.
    """

    train: Masks
    held_out: Masks
    test: Masks

    @property
    def followed(self) -> Masks:
        """Every eighth image of the validation cars."""
        return Masks(self.held_out.images[::FOLLOWED], self.held_out.masks[::FOLLOWED])


def prepare(arguments: Mapping[str, Any]) -> Setting:
    """Fix all seeds and load the data of a cell; the split by car is the data set's own.

    Args:
        arguments: ``data``, ``sha256`` (which the data must have) and ``seed``.
    """
    deterministic(arguments["seed"])
    return Setting(*(_masks(arguments, part) for part in ("train", "val", "test")))


def _masks(arguments: Mapping[str, Any], part: Part) -> Masks:
    found = load_masks(arguments["data"], part, arguments["sha256"])
    return Masks(found.images, found.masks)
