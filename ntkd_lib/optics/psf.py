"""Point spread functions on the sensor: from fine cells to filter pixels, and images seen through them."""

import torch
from jaxtyping import Float
from torch import Tensor

from ntkd_lib.optics.front_end import correlate_colours, split_signed
from ntkd_lib.optics.geometry import Geometry


def binned(intensity: Float[Tensor, "*b w w"], geometry: Geometry, taps: int) -> Float[Tensor, "*b t t"]:
    """Add the light of a centred square of ``taps`` filter pixels, pixel by pixel.

    Args:
        intensity: Light per cell of the sensor plane, centred.
        geometry: Geometry with the cells per side of a filter pixel.

    Raises:
        ValueError: A square that is larger than the plane, or that cannot be centred on it; a plane that is
            not square.
    """
    if intensity.shape[-1] != intensity.shape[-2]:
        raise ValueError(f"intensity: got shape {tuple(intensity.shape)}, allowed: square planes")
    side = taps * geometry.pixel
    spare = intensity.shape[-1] - side
    if spare < 0 or spare % 2:
        came = f"{taps} pixels of {geometry.pixel} cells"
        raise ValueError(f"taps: {came} do not lie centred in {intensity.shape[-1]} cells")
    inner = intensity[..., spare // 2 : spare // 2 + side, spare // 2 : spare // 2 + side]
    blocks = inner.unflatten(-1, (taps, geometry.pixel)).unflatten(-3, (taps, geometry.pixel))
    return blocks.sum(dim=(-3, -1))


def target_psfs(filters: Float[Tensor, "k c s s"]) -> tuple[Float[Tensor, "m c s s"], Float[Tensor, "m c"]]:
    """Split signed filters into the point spread functions that apply them, positive ones first, and gains.

    A lens forms ``image * PSF``, a convolution, and networks correlate, so each PSF is its filter's part
    turned by half a turn, in [0, 1]. ``k = g (k+ - k-)`` with the gains ``+g`` and ``-g``; ``m = 2 k``.

    Source: NTKD paper, Sec. 3.2.
    """
    positive, negative, gain = split_signed(filters)
    gains = gain.expand(len(filters), -1)
    return torch.cat([positive, negative]).flip(-2, -1), torch.cat([gains, -gains])


def image_through(
    scenes: Float[Tensor, "n c h w"], psfs: Float[Tensor, "m _ t t"]
) -> Float[Tensor, "n m c h w"]:
    """Form the images of scenes behind point spread functions: incoherent light adds up intensities.

    ``captured = scene * PSF``, a convolution for each colour, dark around the scene, of the scene's size.

    Raises:
        ValueError: Point spread functions with an even number of filter pixels per side, which have no
            centre, or of another number of colours than the scenes.
    """
    taps = psfs.shape[-1]
    if taps % 2 == 0:
        raise ValueError(f"psfs: got {taps} pixels a side, allowed: an odd number")
    return correlate_colours(scenes, psfs.flip(-2, -1), padding="same")


def psf_cosine(first: Float[Tensor, "*b s s"], second: Float[Tensor, "*b s s"]) -> Float[Tensor, "*b"]:
    """Compare point spread functions by the cosine between them; NaN if one is dark everywhere."""
    dot = (first * second).sum(dim=(-2, -1))
    return dot / (first.square().sum(dim=(-2, -1)) * second.square().sum(dim=(-2, -1))).sqrt()
