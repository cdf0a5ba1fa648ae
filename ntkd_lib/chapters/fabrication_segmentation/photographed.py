"""Which photographs are taken through a device, and what is read out of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ntkd_lib.chapters.fabrication_recovery.made import TAPS, Design
from ntkd_lib.data.mask_pairs import Part
from ntkd_lib.data.masks import MaskedImages, load_masks
from ntkd_lib.distill.read_out_training import ReadOuts
from ntkd_lib.optics.captured_masks import CoarseDevice, laid_out, mask_read_out


def photographed_rows(cars: tuple[str, ...], share: int) -> Int[Tensor, " n"]:
    """Choose all images of one car in so many, in the order of their names: a split by car.

    >>> photographed_rows(("a", "a", "b", "c"), 2)
    tensor([0, 1, 3])
    """
    chosen = set(sorted(set(cars))[::share])
    return torch.tensor([row for row, car in enumerate(cars) if car in chosen])


def load_part(arguments: Mapping[str, Any], part: Part) -> MaskedImages:
    """Load one part of a cell's data.

    Args:
        arguments: ``data`` and ``sha256``, which the data must have.

    Returns:
        Images and masks.
    """
    return load_masks(arguments["data"], part, arguments["sha256"])


@dataclass(frozen=True)
class Bench:
    """A device on the bench.

    Attributes:
        device: The device.
        design: What it was made from.
        psfs: Its point spread functions.
    """

    device: CoarseDevice
    design: Design
    psfs: Float[Tensor, "m c t t"]

    @classmethod
    def of(cls, device: CoarseDevice, design: Design) -> "Bench":
        """Put a device on the bench."""
        return cls(device, design, device.psfs(design.widths, design.geometry, TAPS))

    def read_outs(self, part: MaskedImages, rows: Tensor | slice, name: str) -> ReadOuts:
        """Photograph some images of a part and read them out, relative to a grey field."""
        images, gains = part.images[rows], self.design.gains
        grey = self.device.grey(self.psfs, *images.shape[2:])
        frames = self.device.photographs(images, self.psfs, name)
        read = [laid_out(mask_read_out(captures, gains, grey)) for captures in frames]
        return ReadOuts(torch.cat(read), part.masks[rows])
