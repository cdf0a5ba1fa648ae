"""Digital back ends, from the read-out of the sensor to logits: dense, and up-convolutions for masks."""

import math
from collections.abc import Sequence
from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn


def dense_back_end(widths: tuple[int, ...], *, rectify: bool = True) -> nn.Sequential:
    """Stack dense layers, with ReLU between them if ``rectify`` is set.

    ``f(h) = W_L r(... r(W_1 h + b_1) ...) + b_L`` with ``r`` the ReLU or the identity.

    Args:
        rectify: Whether to put a ReLU between dense layers.

    The network goes from ``(n, widths[0])`` to logits ``(n, widths[-1])``.

    Raises:
        ValueError: Fewer than two widths.

    >>> sum(p.numel() for p in dense_back_end((1568, 32, 10)).parameters())
    50538
    """
    if len(widths) < 2:
        raise ValueError(f"widths: got {widths}, needs an input width and a number of classes")
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(widths):
        layers += [nn.Linear(fan_in, fan_out), nn.ReLU() if rectify else nn.Identity()]
    return nn.Sequential(*layers[:-1])


def mlp(widths: Sequence[int]) -> nn.Sequential:
    """Build a multilayer perceptron with ReLUs between its dense layers.

    The last module is the last dense layer, so that ``net[:-1]`` gives the activations that enter it.

    The network goes from inputs ``(n, ...)``, flattened first, to logits ``(n, classes)``.

    Raises:
        ValueError: Fewer than two widths.

    >>> sum(p.numel() for p in mlp((784, 256, 64, 10)).parameters())
    218058
    """
    if len(widths) < 2:
        raise ValueError(f"mlp: widths = {tuple(widths)}; allowed: an input width and a number of classes")
    return nn.Sequential(nn.Flatten(), *dense_back_end(tuple(widths)))


class UpConvolutionBackEnd(nn.Module):
    """A back end from a coarse read-out to one logit per pixel of the scene, without normalisation.

    ``y_0 = r(h)``, ``y_i = r(C_i y_{i-1})`` at half the resolution each, then back up by transposed
    convolutions, with the ``y_i`` added at equal resolution, and twice more to four times the read-out's.
    Weights start with ``std^2 = 2 / fan`` and biases within ``1 / sqrt(fan)``: without normalisation
    PyTorch's usual start lets signals fade from layer to layer.

    Source: NTKD paper, Table 2 ("1.06M"; up-convolutions, whose widths are not published); start: He et al.
        (2015).

    Args:
        widths: Channels at each coarser resolution.
        fine: Channels at the two finer resolutions.

    >>> sum(p.numel() for p in UpConvolutionBackEnd().parameters())
    228897
    """

    def __init__(self, channels: int = 32, widths: tuple[int, ...] = (48, 64, 96), fine: int = 16) -> None:
        super().__init__()
        steps = list(pairwise((channels, *widths)))
        self.down = nn.ModuleList(nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in steps)
        self.middle = nn.Conv2d(widths[-1], widths[-1], 3, padding=1)
        self.up = nn.ModuleList(nn.ConvTranspose2d(b, a, 2, stride=2) for a, b in steps[::-1])
        self.blend = nn.Conv2d(channels, fine, 3, padding=1)
        self.rise = nn.ConvTranspose2d(fine, fine, 2, stride=2)
        self.head = nn.ConvTranspose2d(fine, 1, 2, stride=2)
        self.apply(_start)

    def forward(self, read_out: Float[Tensor, "n k u v"]) -> Float[Tensor, "n 1 h w"]:
        """Compute logits, four per side for each position of the read-out."""
        levels = [read_out.relu()]
        for layer in self.down:
            levels.append(layer(levels[-1]).relu())
        y = self.middle(levels.pop()).relu()
        for layer in self.up:
            level = levels.pop()
            rows, columns = level.shape[2:]
            y = (layer(y)[:, :, :rows, :columns] + level).relu()
        return self.head(self.rise(self.blend(y).relu()).relu())


def _start(layer: nn.Module) -> None:
    """Draw weights that keep the size of signals through a ReLU; in a transposed one few inputs meet."""
    if not isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
        return
    taps = math.prod(layer.kernel_size)
    if isinstance(layer, nn.ConvTranspose2d):
        taps /= math.prod(layer.stride)
    fan = layer.in_channels * taps
    nn.init.normal_(layer.weight, std=math.sqrt(2 / fan))
    nn.init.uniform_(layer.bias, -1 / math.sqrt(fan), 1 / math.sqrt(fan))


class UpSampling(nn.Module):
    """One up-sampling layer: a transposed convolution from the read-out to the pixels of the scene.

    Source: NTKD paper, Table 5 (random PSFs and one up-sampling layer).

    Args:
        pixels: Pixels of the scene per side of a read-out position; above 1, its neighbours reach into them.
    """

    def __init__(self, channels: int, pixels: int = 4) -> None:
        super().__init__()
        size = 2 * pixels - pixels % 2
        self.layer = nn.ConvTranspose2d(channels, 1, size, stride=pixels, padding=pixels // 2)

    def forward(self, read_out: Float[Tensor, "n k u v"]) -> Float[Tensor, "n 1 h w"]:
        """Compute logits."""
        return self.layer(read_out.relu())
