"""Front ends beyond one linear layer: a saturable absorber, and two optical layers."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from ntkd_lib.optics.front_end import SignedFrontEnd, split_signed

Place = Literal["none", "between", "sensor"]


def transmitted(
    intensity: Float[Tensor, "*s"], saturation: float = 0.1, depth: float = 3.0
) -> Float[Tensor, "*s"]:
    """Compute the light transmitted by a thin saturable absorber, which dims weak light more than bright.

    ``I exp(-depth / (1 + I / saturation))``: transmission ``exp(-depth)`` for ``I`` near zero, 1 for bright
    light. A static model: heating, recovery time and propagation inside of the absorber are left out.

    Source: the two-level model of saturable absorption, alpha = alpha_0 / (1 + I / I_s), with alpha held
        fixed along the path.

    Args:
        intensity: Intensity, not negative.
        saturation: Intensity at which absorption has halved, in the same unit.
        depth: Optical depth in the dark.
    """
    return intensity * torch.exp(-depth / (1 + intensity / saturation))


class DeepFrontEnd(nn.Module):
    """One or two optical layers with an absorber between them, before the sensor, or nowhere.

    The first layer makes ``j`` images with non-negative PSFs, ``u_j = a(x * |p_j|)``; nothing can be
    subtracted before light is captured. The second applies signed pairs to all of them, whose captures are
    added up, ``h = pool(r(sum_j g_j (b(u_j * k_j+) - b(u_j * k_j-))))``, with ``a`` the absorber between the
    layers, ``b`` the one before the sensor, ``r`` a ReLU and ``g_j`` the digital gains. Each ``|p_j|`` sums
    to 1, and so does the brightest PSF of all pairs for ``u_j``, so that intensities stay in [0, 1].

    Source: control of ours; the NTKD paper names depth and strong nonlinearity as its limitations.

    Args:
        layers: Number of optical layers, 1 or 2.
        absorber: Place of the absorber: ``none``, ``between`` the layers, or before the ``sensor``.
        filters: Signed filters of the last layer.
        inner: PSFs ``j`` of the first of two layers.
        size: Pixels per side of the images, even.

    Raises:
        ValueError: Another number of layers, or an absorber between the layers of a single one.
    """

    def __init__(
        self, layers: int = 2, absorber: Place = "between", filters: int = 8, inner: int = 4, size: int = 28
    ) -> None:
        super().__init__()
        if layers not in (1, 2):
            raise ValueError(f"layers: got {layers}, allowed are 1 and 2")
        if layers == 1 and absorber == "between":
            raise ValueError("absorber: got 'between' with one layer, allowed are 'none' and 'sensor'")
        self.absorber = absorber
        self.psfs = nn.Parameter(torch.rand(inner, 1, 7, 7)) if layers == 2 else None
        self.signed = SignedFrontEnd(filters, size, colours=inner if layers == 2 else 1)
        self.read_out = self.signed.read_out

    def entering(self, images: Float[Tensor, "n 1 h w"]) -> Float[Tensor, "n j h w"]:
        """Compute the intensities in [0, 1] that enter the last layer, from those of scenes."""
        if self.psfs is None:
            return images
        psfs = self.psfs.abs()
        seen = functional.conv2d(images, psfs / psfs.sum((1, 2, 3), keepdim=True), padding=3)
        return transmitted(seen) if self.absorber == "between" else seen

    def captures(
        self, images: Float[Tensor, "n 1 h w"]
    ) -> tuple[Float[Tensor, "n k j h w"], Float[Tensor, "n k j h w"], Float[Tensor, " j"]]:
        """Compute positive and negative captures without absorber, in [0, 1] as images, and the gain."""
        positive, negative, _ = split_signed(self.signed.filters)
        unit = torch.maximum(positive.sum((2, 3)), negative.sum((2, 3))).amax(0).clamp_min(1)
        plus, minus, gain = self.signed.captures(self.entering(images))
        return plus / unit[:, None, None], minus / unit[:, None, None], gain * unit

    def forward(self, images: Float[Tensor, "n 1 h w"]) -> Float[Tensor, "n read_out"]:
        """Read out images: pass the layers, subtract, rectify, average over 2 x 2 pixels, flatten."""
        if self.absorber != "sensor":
            return self.signed(self.entering(images))
        plus, minus, gain = self.captures(images)
        signed = ((transmitted(plus) - transmitted(minus)) * gain[:, None, None]).sum(2)
        return functional.avg_pool2d(signed.relu(), 2).flatten(1)


class CoarseReadOut(nn.Module):
    """Fewer, larger detectors: the read-out of filters averaged over blocks.

    Args:
        block: Read-out values per side of a block.

    Raises:
        ValueError: A block that does not divide the maps.
    """

    def __init__(self, front: SignedFrontEnd, block: int) -> None:
        super().__init__()
        side = front.size // 2
        if side % block:
            raise ValueError(f"block: got {block}, needs a divisor of {side}")
        self.front, self.block = front, block
        self.read_out = front.read_out // block**2

    def forward(self, images: Float[Tensor, "n l h w"]) -> Float[Tensor, "n read_out"]:
        """Read out images."""
        maps = self.front(images).unflatten(1, (-1, self.front.size // 2, self.front.size // 2))
        return functional.avg_pool2d(maps, self.block).flatten(1)
