"""Dense networks: digital back ends, from the read-out of the sensor to logits, and perceptrons."""

from collections.abc import Sequence
from itertools import pairwise

from torch import nn


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
