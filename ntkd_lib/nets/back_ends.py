"""Digital back ends: from the read-out of the sensor to logits."""

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
