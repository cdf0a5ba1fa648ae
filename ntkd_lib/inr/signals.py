"""Signals to fit: a grid of coordinates with values."""

from dataclasses import dataclass
from functools import cached_property
from math import pi, prod

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from ntkd_lib.ranges import check_number

EPS = 1e-12
CHANNELS = 8  # more would be samples, not channels
WHITE = {torch.bool: 1, torch.uint8: 255, torch.uint16: 65_535}


@dataclass(frozen=True)
class Signal:
    """Values on a regular grid.

    Attributes:
        values: One row per point in the order of the grid's flattened indices, ``(n, c)``.
        shape: Points along each axis of the grid; their product is ``n``.
        stretch: Coordinates run from ``-stretch`` to ``stretch``; long signals need more than 1.

    >>> Signal(torch.zeros(4, 3), (2, 2)).coordinates
    tensor([[-1., -1.],
            [-1.,  1.],
            [ 1., -1.],
            [ 1.,  1.]])
    """

    values: Float[Tensor, "n c"]
    shape: tuple[int, ...]
    stretch: float = 1.0

    def __post_init__(self) -> None:
        """Refuse values that do not fill the grid or are not finite."""
        if self.values.ndim != 2 or not torch.isfinite(self.values).all():
            shape, count = tuple(self.values.shape), int((~torch.isfinite(self.values)).sum())
            raise ValueError(f"values: got shape {shape}, {count} not finite; needs (n, c), all finite")
        check_number("stretch", self.stretch, EPS)
        if prod(self.shape) != len(self.values):
            raise ValueError(f"{len(self.values)} values for a grid of {self.shape}; allowed: one a point")

    @cached_property
    def coordinates(self) -> Float[Tensor, "n d"]:
        """Coordinates of the points, each axis from ``-stretch`` to ``stretch``, of the values' type."""
        kind = torch.result_type(self.values, 1.0)  # a floating one for whole values too
        axes = [torch.linspace(-self.stretch, self.stretch, size, dtype=kind) for size in self.shape]
        grid = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)
        return grid.reshape(-1, len(self.shape)).to(self.values.device)

    def to(self, device: str) -> "Signal":
        """Move the values."""
        return Signal(self.values.to(device), self.shape, self.stretch)

    @cached_property
    def edges(self) -> Float[Tensor, " n"]:
        """Norm of the gradient along the grid, summed over channels; one number per point."""
        return _gradient(self.values.T.reshape(-1, *self.shape)).reshape(-1)


def _gradient(grid: Tensor) -> Tensor:
    """Compute central differences along every axis with more than one point."""
    axes = [axis for axis in range(1, grid.ndim) if grid.shape[axis] > 1]
    if not axes:
        return torch.zeros_like(grid[0])
    parts = torch.gradient(grid, dim=axes)
    return torch.stack(parts).square().sum((0, 1)).sqrt()


def from_pixels(pixels: Tensor | np.ndarray, side: int | None = None) -> Signal:
    """Build a signal from an image, reduced by averaging whole blocks.

    Args:
        pixels: ``(h, w)``, ``(h, w, c)`` or ``(c, h, w)`` with at most 4 channels: bytes, 16 bits, truth
            values, or floats from 0 to 1.
        side: Height and width after the central square has been reduced; None keeps the image.

    Returns:
        Values from 0 to 1.

    Raises:
        ValueError: Another shape, type or range of pixels; a side that does not divide the central square's.
    """
    image = _unit_range(_channels_last(pixels))
    if side is None:
        return Signal(image.reshape(-1, image.shape[2]), tuple(image.shape[:2]))
    square = min(image.shape[:2])
    if side < 1 or square % side:
        raise ValueError(f"side = {side} does not divide {square}; allowed: its divisors")
    block = square // side
    image = crop(image, square).reshape(side, block, side, block, -1).mean((1, 3))
    return Signal(image.reshape(side * side, -1), (side, side))


def _channels_last(pixels: Tensor | np.ndarray) -> Tensor:
    image = torch.as_tensor(pixels)
    image = image[..., None] if image.ndim == 2 else image
    if image.ndim == 3 and image.shape[2] > 4 >= image.shape[0]:
        image = image.movedim(0, 2)
    if image.ndim != 3 or not 1 <= image.shape[2] <= 4 or not image.numel():
        raise ValueError(
            f"pixels: got shape {tuple(torch.as_tensor(pixels).shape)}, "
            "needs (h, w), (h, w, c) or (c, h, w) with 1 to 4 channels"
        )
    return image


def _unit_range(image: Tensor) -> Tensor:
    if image.is_floating_point():
        low, high = image.min().item(), image.max().item()
        if not 0 <= low <= high <= 1:
            raise ValueError(f"pixels: got floats from {low:g} to {high:g}, needs 0 to 1")
        return image.float()
    if image.dtype not in WHITE:
        raise ValueError(f"pixels: got {image.dtype}, needs uint8, uint16, bool, or floats from 0 to 1")
    return image.float() / WHITE[image.dtype]


def crop(pixels: Tensor | np.ndarray, side: int) -> Shaped[Tensor, "side side c"]:
    """Crop an image, as `from_pixels` reads it, to its central square.

    Raises:
        ValueError: Another shape, or a side that does not fit.
    """
    image = _channels_last(pixels)
    if not 1 <= side <= min(image.shape[:2]):
        raise ValueError(f"side: got {side}, needs 1 to {min(image.shape[:2])}, what the image has")
    top, left = ((size - side) // 2 for size in image.shape[:2])
    return image[top : top + side, left : left + side]


def from_samples(samples: Tensor | np.ndarray, length: int) -> Signal:
    """Build a signal from sound: samples from the middle, scaled to a peak of 1.

    A SIREN's first layer reaches some tens of cycles over [-1, 1]; coordinates are stretched so that as many
    fall on 400 samples, as Sitzmann et al. (2020) raise the first frequency for sound.

    Args:
        samples: ``(n,)``, or ``(n, c)`` or ``(c, n)`` with at most 8 channels; signed integers or floats.
        length: How many to keep at most.

    Returns:
        Values from -1 to 1, the channels side by side, scaled alike.

    Raises:
        ValueError: Another shape or type, no samples, or some that are not finite.
    """
    sound = _samples_first(samples)
    length = min(length, len(sound))
    if length < 1:
        raise ValueError(f"length: got {length} samples, needs at least 1")
    start = (len(sound) - length) // 2
    part = sound[start : start + length].float()
    peak = part.abs().max().clamp_min(EPS)
    return Signal(part / peak, (length,), stretch=length / 400)


def _samples_first(samples: Tensor | np.ndarray) -> Tensor:
    sound = torch.as_tensor(samples)
    sound = sound[:, None] if sound.ndim == 1 else sound
    sound = sound.T if sound.ndim == 2 and len(sound) <= CHANNELS < sound.shape[1] else sound
    if sound.ndim != 2 or sound.shape[1] > CHANNELS:
        raise ValueError(
            f"samples: got shape {tuple(torch.as_tensor(samples).shape)}, "
            f"needs (n,), (n, c) or (c, n) with at most {CHANNELS} channels"
        )
    if sound.dtype in (*WHITE, torch.complex64, torch.complex128):
        raise ValueError(f"samples: got {sound.dtype}, needs signed integers or floats")
    return sound


def waves(side: int, frequencies: tuple[int, ...], amplitude: float = 0.5) -> Signal:
    """Draw an image whose spectrum is known: each vertical band holds one wave of the given frequency.

    Args:
        side: Height and width; a multiple of the number of bands.
        frequencies: Cycles over the whole height, one per band, from left to right.
        amplitude: Half the range of the values, which lie around 0.5 in three equal channels.
    """
    row = torch.linspace(-1, 1, side)
    bands = [0.5 + amplitude * torch.sin(pi * f * row) for f in frequencies]
    columns = torch.stack(bands, 1).repeat_interleave(side // len(frequencies), dim=1)
    return Signal(columns.reshape(-1, 1).repeat(1, 3), tuple(columns.shape))


def torus_distance(side: int, ring: float = 0.55, tube: float = 0.25) -> Signal:
    """Sample the exact signed distance of a torus, negative inside, in units of half the cube's side.

    Args:
        ring: Radius of the circle in the middle of the tube.

    >>> torus = torus_distance(3)
    >>> round(torus.values[13].item(), 2)  # the centre is outside: ring less tube
    0.3
    """
    x, y, z = torch.meshgrid(*3 * [torch.linspace(-1, 1, side)], indexing="ij")
    distance = ((x**2 + y**2).sqrt() - ring).hypot(z) - tube
    return Signal(distance.reshape(-1, 1), (side, side, side))
