"""Cameras with coarse pixels behind designed metasurfaces, and back ends for masks on their captures."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional

from ntkd_lib.optics.cascade import GREY, binned
from ntkd_lib.optics.device import Device
from ntkd_lib.optics.errors import Captures
from ntkd_lib.optics.front_end import correlate_colours

EDGE = 2  # sensor pixels that see the dark surround of a scene


@dataclass(frozen=True)
class CoarseDevice(Device):
    """A device whose sensor pixels average squares of filter pixels, as `CascadeFrontEnd` does.

    Attributes:
        pixels: Sides of a sensor pixel in filter pixels.
    """

    pixels: int = 4

    def photographs(
        self, images: UInt8[Tensor, "n c h w"], psfs: Float[Tensor, "m _ t t"], name: str = "", chunk: int = 8
    ) -> Iterator[Captures]:
        """Photograph scenes through all metasurfaces in chunks, with the noise of the coarse pixels.

        Args:
            images: Pixels from 0 to 255.
            psfs: From `psfs`, an odd number of filter pixels per side.
            name: Names the frames, so that training and test scenes get noise of their own.
            chunk: Scenes at a time, few enough for a cache; part of the draws' order.
        """
        parts = (image_and_bin(part.float() / 255, psfs, self.pixels) for part in images.split(chunk))
        yield from self._captured(parts, psfs, name)

    def grey(self, psfs: Float[Tensor, "m c t t"], rows: int, columns: int) -> Float[Tensor, "m c"]:
        """Photograph a uniform grey field through `psfs`, and average each capture away from its edges."""
        field = psfs.new_full((1, psfs.shape[1], rows, columns), GREY)
        (seen,) = self._captured(iter([image_and_bin(field, psfs, self.pixels)]), psfs, "grey")
        return seen[0, ..., EDGE:-EDGE, EDGE:-EDGE].mean(dim=(-2, -1))


def image_and_bin(
    scenes: Float[Tensor, "n c h w"], psfs: Float[Tensor, "m _ t t"], pixels: int
) -> Float[Tensor, "n m c u v"]:
    """Form images behind point spread functions and average them over sensor pixels, in one convolution.

    Equal to `image_through`, averaged over squares: ``bin(scene * PSF) = scene * bin(PSF)`` at a stride.

    Args:
        scenes: Intensities, dark around them.
        psfs: Point spread functions, an odd number of filter pixels per side.
        pixels: Sides of a sensor pixel in filter pixels.

    Raises:
        ValueError: Point spread functions of another number of colours than the scenes.
    """
    return correlate_colours(scenes, binned(psfs.flip(-2, -1), pixels), psfs.shape[-1] // 2, pixels)


def mask_read_out(
    captures: Float[Tensor, "n m c u v"], gains: Float[Tensor, "m c"], grey: Float[Tensor, "m c"]
) -> Float[Tensor, "n k u v"]:
    """Subtract pairs of captures relative to the captures of a grey field, and add up colours.

    ``sum_c g+ (c+ - grey+) + g- (c- - grey-)`` with ``g-`` negative: what `CascadeFrontEnd` does, from
    captures, the positive ones first: ``m = 2 k`` for ``k`` filters with signed digital gains.
    """
    offset = (gains * grey).sum(dim=1)
    scaled = torch.einsum("nmcuv,mc->nmuv", captures, gains) - offset[:, None, None]
    positive, negative = scaled.chunk(2, dim=1)
    return positive + negative


class CapturedMaskStudent(nn.Module):
    """A back end for masks on read-outs of captures: only digital weights are trained.

    Read-outs come laid out as images of the scene's size: ``pixels^2`` channels side by side in each sensor
    pixel, so that losses take them like photographs.

    Source: NTKD paper, Sec. 3.3 (the front end is frozen).

    Args:
        back: Digital back end, read-out to logits.
        pixels: Sides of a sensor pixel in scene pixels.
    """

    def __init__(self, back: nn.Module, pixels: int = 4) -> None:
        super().__init__()
        self.front = nn.PixelUnshuffle(pixels)
        self.back = back

    def forward(self, laid_out: Float[Tensor, "n l h w"]) -> Float[Tensor, "n 1 h w"]:
        """Compute the logits of read-outs."""
        return self.back(self.front(laid_out))


def laid_out(read_out: Float[Tensor, "n k u v"], pixels: int = 4) -> Float[Tensor, "n l h w"]:
    """Rearrange a read-out for `CapturedMaskStudent` into an image of the scene's size; no value changes.

    Args:
        read_out: Read-out; ``k`` a multiple of ``pixels^2``, ``l = k / pixels^2``.
        pixels: Sides of a sensor pixel in scene pixels.
    """
    return functional.pixel_shuffle(read_out, pixels)
