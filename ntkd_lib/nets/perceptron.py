"""Multilayer perceptrons."""

from collections.abc import Sequence
from itertools import pairwise

from torch import nn


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
    layers: list[nn.Module] = [nn.Flatten()]
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers[:-1])
