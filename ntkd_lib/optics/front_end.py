"""Optical front ends for incoherent light: signed PSF pairs, fixed random PSFs and an ideal lens."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


def split_signed(
    filters: Float[Tensor, "k c s t"],
) -> tuple[Float[Tensor, "k c s t"], Float[Tensor, "k c s t"], Float[Tensor, " c"]]:
    """Split signed filters into the non-negative PSF pair that incoherent optics can realise.

    ``k = g (k+ - k-)`` with ``k+ = max(k, 0) / g``, ``k- = max(-k, 0) / g`` and ``g`` the largest absolute
    entry of a colour over all filters, so that both PSFs of a pair keep their ratio and the gain is digital.

    Source: NTKD paper, Sec. 3.2 (positive and negative captures, subtracted digitally).

    Args:
        filters: Signed filters.

    Returns:
        Positive PSFs, negative PSFs, both within [0, 1], and the digital gain a colour.
    """
    gain = filters.detach().abs().amax(dim=(0, 2, 3)).clamp_min(torch.finfo(filters.dtype).tiny)
    unit = filters / gain[None, :, None, None]
    return unit.clamp_min(0), (-unit).clamp_min(0), gain


def phase_filters(filters: Float[Tensor, "k 1 7 7"]) -> Float[Tensor, "p q 4 4"]:
    """Rewrite 7 x 7 filters for the four positions of a 2 x 2 pooling window.

    The convolution on every pixel becomes one of stride 2 with four times the filters of 8 x 8, written on
    the four interleaved half-size images (``pixel_unshuffle``); same numbers, in a shape that runs faster.

    Args:
        filters: Filters of one colour.

    Returns:
        Filters of shape ``(4 k, 4, 4, 4)``, position-major.
    """
    shifted = [functional.pad(filters, (j, 1 - j, i, 1 - i)) for i in (0, 1) for j in (0, 1)]
    return functional.pixel_unshuffle(torch.cat(shifted), 2)


class SignedFrontEnd(nn.Module):
    """Signed 7 x 7 PSF filters for grey images, 2 x 2 averaged on the sensor's read-out.

    ``h = pool(r(x * k))``, ``x * k = g (x * k+ - x * k-)``: the two captures of a pair are subtracted and
    scaled digitally; ``r`` is the ReLU or the identity. ``captures`` gives the two captures; the forward
    pass uses their difference, which is the same number at half the work.

    Source: NTKD paper, Sec. 3.2 and Table 2 (compressed meta-optic, 8 filters of 7 x 7).

    Args:
        filters: Number of filters.
        size: Pixels a side of the images, even.
        rectify: Whether a ReLU follows the digital subtraction.
        trainable: Whether the filters are trained; otherwise they stay at their random start.
        positive: Whether the filters are drawn non-negative (no second capture); only with
            ``trainable=False``.
        centre: Whether the mean of each capture is subtracted digitally before the ReLU.

    Raises:
        ValueError: Odd ``size``, or non-negative filters that are to be trained.
    """

    def __init__(
        self,
        filters: int = 8,
        size: int = 28,
        *,
        rectify: bool = True,
        trainable: bool = True,
        positive: bool = False,
        centre: bool = False,
    ) -> None:
        """Draw the filters."""
        super().__init__()
        if size % 2:
            raise ValueError(f"size: got {size}, needs an even number of pixels for 2 x 2 pooling")
        if positive and trainable:
            raise ValueError("positive=True needs trainable=False: training would make the filters signed")
        weight = (torch.rand(filters, 1, 7, 7) * 2 - 1) / 7
        self.filters = nn.Parameter(weight.abs() if positive else weight, requires_grad=trainable)
        self.size, self.rectify, self.centre = size, rectify, centre
        self.read_out = filters * (size // 2) ** 2

    def captures(
        self, images: Float[Tensor, "n 1 h w"]
    ) -> tuple[Float[Tensor, "n k h w"], Float[Tensor, "n k h w"], Float[Tensor, " 1"]]:
        """Give what the sensor sees through both PSFs of each pair, and the digital gain.

        Args:
            images: Scene intensities in [0, 1].

        Returns:
            Positive and negative captures, both non-negative, and the gain.
        """
        positive, negative, gain = split_signed(self.filters)
        return (
            functional.conv2d(images, positive, padding=3),
            functional.conv2d(images, negative, padding=3),
            gain,
        )

    def maps(self, images: Float[Tensor, "n 1 h w"]) -> Float[Tensor, "n 4 k q"]:
        """Give the subtracted maps before the ReLU, by position in the pooling window.

        Args:
            images: Scene intensities in [0, 1].

        Returns:
            Maps of shape ``(n, 4, k, q)``, ``q = (h / 2)(w / 2)``.
        """
        padded = functional.pixel_unshuffle(functional.pad(images, (3, 3, 3, 3)), 2)
        maps = functional.conv2d(padded, phase_filters(self.filters))
        maps = maps.reshape(len(images), 4, len(self.filters), -1)
        return maps - maps.mean(dim=(1, 3), keepdim=True) if self.centre else maps

    def forward(self, images: Float[Tensor, "n 1 h w"]) -> Float[Tensor, "n read_out"]:
        """Read out images: subtract, rectify, average over 2 x 2 pixels, flatten."""
        maps = self.maps(images)
        return (maps.relu() if self.rectify else maps).mean(dim=1).flatten(1)


class IdealLens(nn.Module):
    """A plain lens: the image itself, resampled to as many values as the filtered read-out has.

    Source: control of ours; arXiv 2606.09792 argues that no incoherent mask beats a lens at full read-out.

    Args:
        rows: Rows of the resampled image.
        columns: Columns of the resampled image.
    """

    def __init__(self, rows: int = 28, columns: int = 56) -> None:
        """Fix the read-out grid."""
        super().__init__()
        self.grid = (rows, columns)
        self.read_out = rows * columns

    def forward(self, images: Float[Tensor, "n 1 h w"]) -> Float[Tensor, "n read_out"]:
        """Resample images to the read-out grid."""
        return functional.interpolate(images, self.grid, mode="bilinear", align_corners=False).flatten(1)
