"""Networks of two convolutions: LeNet-5, and a small one with a cheap exact tangent kernel."""

from collections import OrderedDict
from itertools import pairwise

from torch import nn


def lenet(classes: int = 10) -> nn.Sequential:
    """Build LeNet-5, the digital teacher for single-channel 28 x 28 images, logits of shape ``(n, classes)``.

    Convolutions 6 and 16 of 5 x 5 without padding, ReLU, 2 x 2 maximum pooling, dense layers 120, 84 and
    ``classes``: 44,426 parameters for ten classes.

    Source: LeCun et al. (1998), with ReLU and maximum pooling in place of tanh and averaging. The teacher of
    the NTKD paper, Table 2, is a LeNet of the same size (44.4 k float32 weights are its "0.18M").

    >>> sum(p.numel() for p in lenet().parameters())
    44426
    """
    return _stack(nn.Conv2d(1, 6, 5), nn.Conv2d(6, 16, 5), 256, 120, 84, classes)


def compact_cnn(
    channels: int = 1, side: int = 28, *, filters: tuple[int, int] = (8, 16), hidden: int = 350
) -> nn.Sequential:
    """Build two convolutions of 5 x 5, each with ReLU and 2 x 2 maximum pooling, and two dense layers.

    Most of its weights lie in the dense layers, whose share of a tangent kernel is a product of two small
    Gram matrices: some 1e5 parameters, but a kernel of 2,000 images in seconds on one core.

    Args:
        side: Height and width of the images, such that both poolings divide evenly.

    The network goes from ``(n, channels, side, side)`` to logits ``(n, 10)``; its last layer is dense.

    Raises:
        ValueError: A side that two convolutions and poolings do not divide.

    >>> sum(p.numel() for p in compact_cnn().parameters())
    96884
    >>> sum(p.numel() for p in compact_cnn(3, 32, filters=(12, 16), hidden=220).parameters())
    96158
    """
    left = ((side - 4) // 2 - 4) // 2
    if side < 16 or 4 * left + 12 != side:
        raise ValueError(f"side: got {side}, needs at least 16 pixels and a multiple of 4")
    convolutions = nn.Conv2d(channels, filters[0], 5), nn.Conv2d(*filters, 5)
    return _stack(*convolutions, filters[1] * left**2, hidden, 10)


def _stack(first: nn.Conv2d, second: nn.Conv2d, *widths: int) -> nn.Sequential:
    layers: dict[str, nn.Module] = {}
    for number, layer in enumerate((first, second), 1):
        layers |= {f"conv{number}": layer, f"relu{number}": nn.ReLU(), f"pool{number}": nn.MaxPool2d(2)}
    layers["flatten"] = nn.Flatten()
    for number, sizes in enumerate(pairwise(widths), 1):
        layers |= {f"dense{number}": nn.Linear(*sizes), f"relu{number + 2}": nn.ReLU()}
    return nn.Sequential(OrderedDict(list(layers.items())[:-1]))  # no ReLU after the logits
