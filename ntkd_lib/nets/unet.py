"""A U-Net for masks of images."""

from itertools import chain

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


class UNet(nn.Module):
    """Encoder and decoder of equal depth, joined by skip connections at every scale.

    Source: Ronneberger, Fischer, Brox (2015), with batch normalisation and padded convolutions.

    Args:
        classes: Logits per pixel.
        width: Filters at full resolution; twice as many at each of the coarser scales.
        depth: Number of times that the resolution is halved.
    """

    def __init__(self, channels: int = 3, classes: int = 1, width: int = 16, depth: int = 4) -> None:
        super().__init__()
        widths = [width * 2**i for i in range(depth + 1)]
        ins = [channels, *widths[:-1]]
        self.down = nn.ModuleList(_block(a, b) for a, b in zip(ins, widths, strict=True))
        pairs = list(zip(widths[:0:-1], widths[-2::-1], strict=True))
        self.rise = nn.ModuleList(nn.ConvTranspose2d(a, b, 2, stride=2) for a, b in pairs)
        self.up = nn.ModuleList(_block(2 * b, b) for _, b in pairs)
        self.pool = nn.MaxPool2d(2)
        self.head = nn.Conv2d(width, classes, 1)

    def forward(self, images: Float[Tensor, "n k h w"]) -> Float[Tensor, "n c h w"]:
        """Compute logits for each pixel; sides must be divisible by two to the power of the depth."""
        skipped = []
        for i, block in enumerate(self.down):
            images = block(self.pool(images) if i else images)
            skipped.append(images)
        images = skipped.pop()
        for rise, block in zip(self.rise, self.up, strict=True):
            images = block(torch.cat([skipped.pop(), rise(images)], dim=1))
        return self.head(images)


class ShuffledNetwork(nn.Module):
    """A network at a fraction of the image's resolution, with all pixels as channels.

    ``f(x) = shuffle(net(unshuffle(x - 1/2)))``: no pixel is lost, and the work shrinks with the square of the
    factor.

    Args:
        network: From ``colours factor^2`` channels to ``factor^2``.
        factor: Pixels per side that become channels.
    """

    def __init__(self, network: nn.Module, factor: int = 2) -> None:
        super().__init__()
        self.network = network
        self.factor = factor

    def forward(self, images: Float[Tensor, "n l h w"]) -> Float[Tensor, "n 1 h w"]:
        """Compute one logit per pixel."""
        coarse = functional.pixel_unshuffle(images - 0.5, self.factor)
        return functional.pixel_shuffle(self.network(coarse), self.factor)


def _block(a: int, b: int) -> nn.Sequential:
    first, second = (nn.Conv2d(inputs, b, 3, padding=1, bias=False) for inputs in (a, b))
    both = ((layer, nn.BatchNorm2d(b), nn.ReLU(inplace=True)) for layer in (first, second))
    return nn.Sequential(*chain.from_iterable(both))
