"""SIREN, a network from coordinates to values with sine activations."""

from itertools import pairwise
from math import sqrt

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Sine(nn.Module):
    """``sin(omega x)``."""

    def __init__(self, omega: float = 30.0) -> None:
        super().__init__()
        self.omega = omega

    def forward(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n d"]:
        """Apply it to every value."""
        return torch.sin(self.omega * x)


def siren(
    inputs: int = 2, outputs: int = 3, width: int = 256, hidden: int = 3, omega: float = 30.0
) -> nn.Sequential:
    """Build a SIREN with its published initialisation, from ``(n, inputs)`` to ``(n, outputs)``.

    First layer uniform in ``1 / inputs``, the others in ``sqrt(6 / width) / omega``.

    Source: Sitzmann et al. (2020), Sec. 3.2.

    Args:
        hidden: Number of hidden layers after the first.

    >>> sum(p.numel() for p in siren().parameters())
    198915
    """
    widths = [inputs, *[width] * (hidden + 1), outputs]
    layers: list[nn.Module] = []
    for i, (a, b) in enumerate(pairwise(widths)):
        dense = nn.Linear(a, b)
        bound = 1 / a if i == 0 else sqrt(6 / a) / omega
        nn.init.uniform_(dense.weight, -bound, bound)
        layers += [dense, Sine(omega)]
    return nn.Sequential(*layers[:-1])
