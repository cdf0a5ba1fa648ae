"""An optical front end of several linear depths that one capture merges, for dense outputs."""

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import vjp, vmap
from torch.nn import functional

from ntkd_lib.optics.front_end import correlate_colours, split_signed

SIDE = 3
GREY = 0.5


def merged(*depths: Float[Tensor, "_ _ 3 3"]) -> Float[Tensor, "k l s s"]:
    """Merge consecutive filters into one bank, from the colours of the scene to the last depth's channels.

    ``(x * k_1) * k_2 = x * (k_1 * k_2)``, channels contracted: no nonlinearity lies between the depths. The
    result has sides of ``2 d + 1`` pixels for ``d`` depths.

    Args:
        *depths: Filters of each depth, ``(channels out, channels in, 3, 3)``, as correlations.
    """
    bank = depths[0].transpose(0, 1)
    for filters in depths[1:]:
        bank = functional.conv2d(bank, filters.flip(2, 3), padding=SIDE - 1)
    return bank.transpose(0, 1)


def binned(filters: Float[Tensor, "k l s s"], pixels: int) -> Float[Tensor, "k l t t"]:
    """Compute the filters that a sensor with larger pixels applies: their mean over shifts within a pixel.

    Filters at full resolution become filters with sides ``t = s + pixels - 1``, for a stride of ``pixels``,
    the sides of a sensor pixel in scene pixels.
    """
    k, _, side, _ = filters.shape
    box = filters.new_full((1, 1, pixels, pixels), 1 / pixels**2)
    wide = functional.conv2d(filters.reshape(-1, 1, side, side), box, padding=pixels - 1)
    return wide.reshape(k, -1, side + pixels - 1, side + pixels - 1)


class CascadeFrontEnd(nn.Module):
    """Signed 3 x 3 filters in several depths, merged by the optics into one bank and captured once.

    ``h = bin(x * k_1 * ... * k_d)``: linear throughout, so that one pair of captures per channel of the last
    depth is all that is taken; the sensor's pixels average ``pixels x pixels`` pixels of the scene. Read-outs
    are relative to a uniform grey field, which is measured once and subtracted digitally.

    Source: NTKD paper, Table 2 (56 filters of 3 x 3 as 8 + 16 + 32 for Carvana); that the depths are linear
        and merged is our reading of its one optical layer.

    Args:
        depths: Filters of each depth.
        pixels: Sides of a sensor pixel in scene pixels.
        trainable: Whether the filters are trained; otherwise they stay at their random start.
        positive: Whether the filters are drawn non-negative (no second capture); only with
            ``trainable=False``.

    Raises:
        ValueError: Non-negative filters that are to be trained.

    >>> sum(p.numel() for p in CascadeFrontEnd().parameters())
    5976
    """

    def __init__(
        self,
        depths: tuple[int, ...] = (8, 16, 32),
        *,
        colours: int = 3,
        pixels: int = 4,
        trainable: bool = True,
        positive: bool = False,
    ) -> None:
        super().__init__()
        if positive and trainable:
            raise ValueError("positive=True needs trainable=False: training would make the filters signed")
        self.names = tuple(f"depth{i}" for i in range(len(depths)))
        for name, (a, b) in zip(self.names, pairwise((colours, *depths)), strict=True):
            filters = _drawn(b, a)
            drawn = nn.Parameter(filters.abs() if positive else filters, requires_grad=trainable)
            self.register_parameter(name, drawn)
        self.pixels = pixels
        self.channels = depths[-1]

    @property
    def depths(self) -> tuple[Tensor, ...]:
        """The filters of each depth."""
        return tuple(getattr(self, name) for name in self.names)  # torch.func puts plain tensors there

    @property
    def bank(self) -> Float[Tensor, "k l s s"]:
        """The merged filters at full resolution."""
        return merged(*self.depths)

    def captures(
        self, images: Float[Tensor, "n l h w"]
    ) -> tuple[Float[Tensor, "n k l u v"], Float[Tensor, "n k l u v"], Float[Tensor, " l"]]:
        """Compute positive and negative captures of intensities in [0, 1], none negative, and the gain."""
        positive, negative, gain = split_signed(self.bank)
        plus, minus = (correlate_colours(images, psfs, "same") for psfs in (positive, negative))
        pixel = (1, self.pixels, self.pixels)
        return functional.avg_pool3d(plus, pixel), functional.avg_pool3d(minus, pixel), gain

    def _scene(self, images: Float[Tensor, "n l h w"]) -> Float[Tensor, "n l g f"]:
        """Images relative to grey, with a dark surround as wide as the filters reach."""
        return functional.pad(images - GREY, (len(self.depths),) * 4, value=-GREY)

    def forward(self, images: Float[Tensor, "n l h w"]) -> Float[Tensor, "n k u v"]:
        """Read out images: the difference of both captures, relative to a grey field."""
        return functional.conv2d(self._scene(images), binned(self.bank, self.pixels), stride=self.pixels)

    def per_sample_gradients(
        self, images: Float[Tensor, "n l h w"], signal: Float[Tensor, "n c k u v"]
    ) -> dict[str, Float[Tensor, "n c ..."]]:
        """Compute the gradients of every sample and output with respect to each depth's filters, by name.

        The gradient with respect to the merged bank is a product of patches and signals, the gradients of the
        outputs with respect to the read-out; that of each depth follows by the transposed derivative of
        merging and binning.
        """
        wide, pull = vjp(lambda *depths: binned(merged(*depths), self.pixels), *self.depths)
        patches = functional.unfold(self._scene(images), wide.shape[-1], stride=self.pixels)
        by_bank = signal.flatten(1, 2).flatten(2) @ patches.mT  # classes and filters as rows of one product
        n, c = signal.shape[:2]
        pulled = vmap(pull)(by_bank.reshape(n * c, *wide.shape))
        return {name: g.unflatten(0, (n, c)) for name, g in zip(self.names, pulled, strict=True)}

    @property
    def passing_values(self) -> int:
        """Values per output position that `per_sample_gradients` holds: one patch."""
        return self.depths[0].shape[1] * (2 * len(self.depths) + self.pixels) ** 2


class BinnedLens(nn.Module):
    """A plain lens: the image itself, resampled, in the layout of a filtered read-out.

    An image of ``fine u x fine v`` pixels per colour becomes ``l fine^2`` channels of ``u x v``: with
    ``fine = 3`` 27 channels, a little less than the 32 of the filters.

    Source: control of ours; arXiv 2606.09792 argues that no incoherent mask beats a lens at full read-out.

    Args:
        pixels: Sides of a read-out position in scene pixels.
        fine: Resampled pixels per side of a read-out position.
    """

    def __init__(self, pixels: int = 4, fine: int = 3, colours: int = 3) -> None:
        super().__init__()
        self.pixels, self.fine = pixels, fine
        self.channels = colours * fine**2

    def forward(self, images: Float[Tensor, "n l h w"]) -> Float[Tensor, "n k u v"]:
        """Resample images relative to grey and sort them by read-out position."""
        grid = [self.fine * (side // self.pixels) for side in images.shape[2:]]
        small = functional.interpolate(images - GREY, grid, mode="bilinear", align_corners=False)
        return functional.pixel_unshuffle(small, self.fine)


def _drawn(out: int, into: int) -> Float[Tensor, "k l 3 3"]:
    return (torch.rand(out, into, SIDE, SIDE) * 2 - 1) * (3 / (into * SIDE**2)) ** 0.5
