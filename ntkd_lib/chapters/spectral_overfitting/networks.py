"""The six networks, from the paper's parameter counts, and their training."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Network:
    """One shape.

    Attributes:
        name: Widths of the hidden layers, as tables show them.
        widths: The same as numbers.
        share: Share of the epochs that it trains for in the validation grid. Wide networks reach zero
            training error sooner; the shares let each get there or to a plateau.
    """

    name: str
    widths: tuple[int, ...]
    share: float


NETWORKS: Mapping[str, Network] = {
    network.name: network
    for network in (
        Network("32", (32,), 1.0),
        Network("16-16", (16, 16), 1.0),
        Network("64-32", (64, 32), 0.375),
        Network("128-64", (128, 64), 0.1875),
        Network("256-128", (256, 128), 0.125),
        Network("512-256", (512, 256), 0.125),
    )
}


def checkpoints(epochs: int, count: int) -> list[int]:
    """Space checkpoints evenly on a logarithmic scale, from 1/64 of training to its end."""
    return sorted({max(1, round(epoch)) for epoch in np.geomspace(epochs / 64, epochs, count)})
