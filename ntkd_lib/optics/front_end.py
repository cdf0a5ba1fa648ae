"""Optical front ends for incoherent light: signed PSF pairs, random PSFs, an ideal lens; pooling windows."""

import math
from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from ntkd_lib.optics.masked_products import MaskedProducts


def split_signed(
    filters: Float[Tensor, "k c s t"],
) -> tuple[Float[Tensor, "k c s t"], Float[Tensor, "k c s t"], Float[Tensor, " c"]]:
    """Split signed filters into the non-negative PSF pair that incoherent optics can realise, and its gain.

    ``k = g (k+ - k-)`` with ``k+ = max(k, 0) / g``, ``k- = max(-k, 0) / g`` and ``g`` the largest absolute
    entry of a colour over all filters, so that both PSFs of a pair keep their ratio and the gain is digital.

    Source: NTKD paper, Sec. 3.2 (positive and negative captures, subtracted digitally).

    >>> positive, negative, gain = split_signed(torch.tensor([[[[0.5, -2.0]]]]))
    >>> positive.tolist(), negative.tolist(), gain.tolist()
    ([[[[0.25, 0.0]]]], [[[[0.0, 1.0]]]], [2.0])
    """
    gain = filters.detach().abs().amax(dim=(0, 2, 3)).clamp_min(torch.finfo(filters.dtype).tiny)
    unit = filters / gain[None, :, None, None]
    return (unit.abs() + unit) / 2, (unit.abs() - unit) / 2, gain  # slopes of the two differ by 1 at zero too


def correlate_colours(
    scenes: Float[Tensor, "n c h w"], psfs: Float[Tensor, "m _ s s"], padding: int | str = 0, stride: int = 1
) -> Float[Tensor, "n m c u v"]:
    """Correlate each colour of scenes with the same colour of every point spread function.

    Raises:
        ValueError: Point spread functions of another number of colours than the scenes.
    """
    colours = scenes.shape[1]
    if psfs.shape[1] != colours:
        raise ValueError(f"psfs: got {psfs.shape[1]} colours, allowed: {colours}, those of the scenes")
    by_colour = psfs.transpose(0, 1).flatten(0, 1)[:, None]
    seen = functional.conv2d(scenes, by_colour, stride=stride, padding=padding, groups=colours)
    return seen.unflatten(1, (colours, -1)).transpose(1, 2)


class SignedFrontEnd(nn.Module):
    """Signed PSF filters for grey or colour images, 2 x 2 averaged on the sensor's read-out.

    ``h = pool(r(x * k))``, ``x * k = g (x * k+ - x * k-)``: the two captures of a pair are subtracted and
    scaled digitally; ``r`` is the ReLU or the identity. ``captures`` gives the two captures; the forward
    pass uses their difference, which is the same number at half the work.

    Source: NTKD paper, Sec. 3.2 and Table 2 (compressed meta-optic, 8 filters of 7 x 7).

    Args:
        size: Pixels per side of the images, even.
        filter_size: Pixels per side of the filters, odd.
        colours: Colours of the images; each has its own PSFs and its own digital gain.
        rectify: Whether a ReLU follows the digital subtraction.
        trainable: Whether the filters are trained; otherwise they stay at their random start.
        positive: Whether the filters are drawn non-negative (no second capture); only with
            ``trainable=False``.
        centre: Whether the mean of each capture is subtracted digitally before the ReLU.

    Raises:
        ValueError: Odd ``size``, even ``filter_size``, or non-negative filters that are to be trained.

    >>> SignedFrontEnd(filters=8, size=28)(torch.rand(5, 1, 28, 28)).shape
    torch.Size([5, 1568])
    """

    def __init__(
        self,
        filters: int = 8,
        size: int = 28,
        *,
        filter_size: int = 7,
        colours: int = 1,
        rectify: bool = True,
        trainable: bool = True,
        positive: bool = False,
        centre: bool = False,
    ) -> None:
        super().__init__()
        if size % 2:
            raise ValueError(f"size: got {size}, needs an even number of pixels for 2 x 2 pooling")
        if filter_size % 2 == 0:
            raise ValueError(f"filter_size: got {filter_size}, needs an odd number of pixels")
        if positive and trainable:
            raise ValueError("positive=True needs trainable=False: training would make the filters signed")
        weight = torch.rand(filters, colours, filter_size, filter_size) * 2 - 1
        weight = weight / (filter_size * colours**0.5)
        self.filters = nn.Parameter(weight.abs() if positive else weight, requires_grad=trainable)
        self.size, self.rectify, self.centre = size, rectify, centre
        self.read_out = filters * (size // 2) ** 2

    def captures(
        self, images: Float[Tensor, "n l h w"]
    ) -> tuple[Float[Tensor, "n k l h w"], Float[Tensor, "n k l h w"], Float[Tensor, " l"]]:
        """Compute positive and negative captures of intensities in [0, 1], none negative, and the gain."""
        positive, negative, gain = split_signed(self.filters)
        plus, minus = (correlate_colours(images, psfs, "same") for psfs in (positive, negative))
        return plus, minus, gain

    def _check(self, images: Tensor) -> None:
        shape = (self.filters.shape[1], self.size, self.size)
        if images.shape[1:] != shape:
            raise ValueError(f"images: got shape {tuple(images.shape)}, needs (n, *{shape})")

    def maps(self, images: Float[Tensor, "n l h w"]) -> Float[Tensor, "n 4 k q"]:
        """Compute the subtracted maps before the ReLU, by place in the window of pooling, ``q = h w / 4``.

        The convolution on every pixel becomes one of stride 2 with the filters at all four places of the
        window: same numbers, in a shape that runs faster and in the order that pooling wants.
        """
        return self._maps(images, placed_filters(self.filters))

    def _maps(self, images: Tensor, placed: Float[Tensor, "p l t t"]) -> Float[Tensor, "n 4 k q"]:
        self._check(images)
        maps = window_maps(images, placed).reshape(len(images), 4, len(self.filters), -1)
        return maps - maps.mean(dim=(1, 3), keepdim=True) if self.centre else maps

    def pool(self, maps: Float[Tensor, "n 4 k q"]) -> Float[Tensor, "n read_out"]:
        """Rectify maps, average them over pooling windows and flatten."""
        return self._sum(maps) / 4

    def _sum(self, maps: Float[Tensor, "n 4 k q"]) -> Float[Tensor, "n read_out"]:
        return sum_over_window(maps.relu() if self.rectify else maps).flatten(1)

    def forward(self, images: Float[Tensor, "n l h w"]) -> Float[Tensor, "n read_out"]:
        """Read out images: subtract, rectify, average over 2 x 2 pixels, flatten."""
        quarter = placed_filters(self.filters) / 4  # an average is a sum then: one pass less over the maps
        if self.rectify or self.centre:
            return self._sum(self._maps(images, quarter))
        self._check(images)
        # nothing lies between filters and average, so the filters are averaged in place of their maps
        return window_maps(images, quarter.unflatten(0, (4, -1)).sum(0)).flatten(1)

    def per_sample_gradients(
        self, images: Float[Tensor, "n l h w"], signal: Float[Tensor, "n c read_out"]
    ) -> dict[str, Float[Tensor, "n c k l s s"]]:
        """Compute each sample's and class's gradients in the filters, by name, from those in the read-out."""
        gradients = self.filter_gradients(images, self.maps(images), signal)
        return {"filters": gradients.transpose(1, 2).unflatten(3, self.filters.shape[1:])}

    @property
    def passing_values(self) -> int:
        """Values per sample that `per_sample_gradients` holds: windows, patches of a window, maps, masks."""
        patches = self.read_out // len(self.filters) * self.filters[0].numel()
        return 6 * patches + 12 * self.read_out

    def filter_gradients(
        self,
        images: Float[Tensor, "n l h w"],
        maps: Float[Tensor, "n 4 k q"],
        signal: Float[Tensor, "n c read_out"],
    ) -> Float[Tensor, "n k c s"]:
        """Contract the signal at the read-out with the patches of each filter that pass its ReLU.

        With patches ``P``, ReLU masks ``M`` and signals ``U``, the gradients of the logits with respect to
        the read-out, ``f`` the position in the pooling window, the gradient of class ``c`` is
        ``G_c[k, s] = sum_f sum_q U_c[k, q] M[f, k, q] P[f, q, s] / 4``: for each sample and position one
        product of all filters' and classes' signals with the patches. The masks are piecewise constant in
        the weights, so only ``U`` has a derivative. If a capture's mean is subtracted, so is the mean patch.
        """
        side = self.filters.shape[-1]
        patches = list(seen_by_place(images, side))
        if self.centre:
            mean = sum(seen.mean(1, keepdim=True) for seen in patches) / len(patches)
            patches = [seen - mean for seen in patches]
        by_filter = signal.unflatten(2, (len(self.filters), -1))
        if not self.rectify:
            return by_filter.transpose(1, 2) @ (sum(patches) / 4)[:, None]
        lit = (maps.detach() > 0).to(signal)[:, :, None]
        return MaskedProducts.apply(by_filter, lit, *patches).transpose(1, 2) / 4


class IdealLens(nn.Module):
    """A plain lens: the image itself, resampled to as many values as the filtered read-out has.

    More values than pixels are interpolated; fewer are means over larger detectors, which share a row or
    column of pixels where sides do not divide.

    Source: control of ours; arXiv 2606.09792 argues that no incoherent mask beats a lens at full read-out.
    """

    def __init__(self, rows: int = 28, columns: int = 56, colours: int = 1) -> None:
        super().__init__()
        self.grid = (rows, columns)
        self.read_out = rows * columns * colours

    def forward(self, images: Float[Tensor, "n l h w"]) -> Float[Tensor, "n read_out"]:
        """Resample images to the read-out grid."""
        if self.read_out < images[0].numel():
            return functional.interpolate(images, self.grid, mode="area").flatten(1)
        return functional.interpolate(images, self.grid, mode="bilinear", align_corners=False).flatten(1)


# Positions of a 2 x 2 pooling window, row by row.
WINDOW = ((0, 0), (0, 1), (1, 0), (1, 1))


def seen_by_place(images: Float[Tensor, "n l h w"], side: int) -> Iterator[Float[Tensor, "n q s"]]:
    """Extract what filters see at each pixel of the pooling windows; ``q = h w / 4``, ``s = l side^2``."""
    padded = functional.pad(images, (side // 2,) * 4)
    windows = padded.unfold(2, side + 1, 2).unfold(3, side + 1, 2).permute(0, 1, 4, 5, 2, 3).contiguous()
    for down, right in WINDOW:
        seen = windows[:, :, down : down + side, right : right + side]
        yield seen.reshape(len(images), images.shape[1] * side**2, -1).transpose(1, 2)


def placed_filters(filters: Float[Tensor, "k l s s"]) -> Float[Tensor, "p l t t"]:
    """Place filters at the four positions of a window, position-major: ``t = s + 1``, ``p = 4 k``."""
    return torch.cat([functional.pad(filters, (j, 1 - j, i, 1 - i)) for i, j in WINDOW])


def window_maps(
    images: Float[Tensor, "n l h w"], placed: Float[Tensor, "p l t t"]
) -> Float[Tensor, "n p u v"]:
    """Correlate every pooling window with placed filters, or with averages of them over positions.

    In bfloat16 on a CPU the 2 x 2 pixels of each cell become channels and stride 2 becomes 1: the same
    products in a shape that the library computes in half the time. The maps are channels-last then.
    """
    seen = functional.pad(images, (placed.shape[-1] // 2 - 1,) * 4)
    if images.device.type == "cpu" and torch.is_autocast_enabled("cpu"):
        return functional.conv2d(_cells(seen), _cells(placed))
    return functional.conv2d(seen, placed, stride=2)


def _cells(images: Float[Tensor, "n l h w"]) -> Float[Tensor, "n m u v"]:
    images = images.to(torch.get_autocast_dtype("cpu"))
    cells = torch.cat([images[:, :, i::2, j::2] for i, j in WINDOW], dim=1)
    return cells.contiguous(memory_format=torch.channels_last)


def sum_over_window(maps: Float[Tensor, "n 4 k q"]) -> Float[Tensor, "n k q"]:
    """Add up maps over the four positions of a pooling window.

    Channels-last maps are added up by a product, which takes a quarter of a reduction's time.
    """
    if maps.stride(3) == 1:
        return maps.sum(1)
    side_by_side = maps.permute(0, 3, 1, 2).flatten(2)
    same_filter = torch.eye(maps.shape[2], dtype=maps.dtype, device=maps.device).repeat(4, 1)
    return (side_by_side @ same_filter).transpose(1, 2)


@torch.no_grad()
def start_at_components(front: SignedFrontEnd, images: Float[Tensor, "n l h w"]) -> None:
    """Initialise filters, in place, with principal components of patches of some training images.

    The first component, the patch's brightness, is left out: its read-out would be large everywhere and say
    little. With ``v_i`` the next ones, filters are ``v_2, v_3, ..., -v_2, -v_3, ...``, so that the ReLU keeps
    both halves of each; their maps have unit spread.
    """
    count, colours, size, _ = front.filters.shape
    patches = images.unfold(2, size, 2).unfold(3, size, 2).permute(0, 2, 3, 1, 4, 5)
    patches = patches.reshape(-1, colours * size**2).double()
    centred = patches - patches.mean(0)
    vectors = torch.linalg.eigh(centred.T @ centred).eigenvectors.flip(1)
    halves = vectors[:, 1 : 1 + math.ceil(count / 2)].T
    front.filters.copy_(torch.cat([halves, -halves])[:count].view_as(front.filters))
    set_unit_spread(front, images)


@torch.no_grad()
def set_unit_spread(front: SignedFrontEnd, images: Float[Tensor, "n l h w"]) -> None:
    """Scale each filter, in place, so that its map before the ReLU has standard deviation one.

    Raises:
        ValueError: A filter whose map does not vary over the images.
    """
    spread = front.maps(images).std(dim=(0, 1, 3))
    if not (spread > 0).all():
        raise ValueError("images: got a map that does not vary, allowed: images that differ")
    front.filters /= spread[:, None, None, None]
