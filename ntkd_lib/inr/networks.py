"""Build coordinate networks by name: the architectures that the paper compares, and a hash grid."""

from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from math import pi

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ntkd_lib.inr.activations import Finer, Gabor, Gauss
from ntkd_lib.nets.sine import Sine, siren

PRIMES = (1, 2_654_435_761, 805_459_861)


class HashGrid(nn.Module):
    """A hash grid: features of each level's corners from a table, linearly interpolated.

    Source: Müller et al. (2022), Sec. 3.

    Args:
        inputs: Coordinates, 1 to 3, from -1 to 1.
        coarsest: Cells along an axis of the first grid.
        growth: Ratio from one grid to the next.

    Raises:
        ValueError: Coordinates outside of the grid; those of sound lie there.

    >>> HashGrid(2)(torch.zeros(5, 2)).shape
    torch.Size([5, 12])
    """

    def __init__(
        self,
        inputs: int,
        levels: int = 6,
        entries: int = 512,
        channels: int = 2,
        coarsest: int = 4,
        growth: float = 1.6,
    ) -> None:
        super().__init__()
        self.tables = nn.Parameter(torch.empty(levels, entries, channels).uniform_(-1e-2, 1e-2))
        self.sizes = [round(coarsest * growth**level) for level in range(levels)]
        self.corners = torch.cartesian_prod(*inputs * [torch.arange(2)]).reshape(-1, inputs)
        self.features = levels * channels

    def forward(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n features"]:
        """Interpolate the features of all levels."""
        with suppress(RuntimeError):  # of vmap, which allows no look at values
            if x.abs().max() > 1:
                raise ValueError(f"x: got coordinates up to {x.abs().max():g}, allowed: -1 to 1")
        parts = [self._level(table, size, x) for table, size in zip(self.tables, self.sizes, strict=True)]
        return torch.cat(parts, dim=1)

    def _level(self, table: Tensor, size: int, x: Tensor) -> Tensor:
        place = (x + 1) * (size / 2)
        base = place.floor().clamp(0, size - 1)
        share = (place - base)[:, None, :]
        corner = self.corners.to(x.device)
        weight = torch.where(corner.bool(), share, 1 - share).prod(dim=2)
        entry = _hash(base.long()[:, None, :] + corner, len(table))
        return (table[entry] * weight[:, :, None]).sum(1)


def _hash(place: Int[Tensor, "n k d"], entries: int) -> Int[Tensor, "n k"]:
    """Mix the integer coordinates into a position of the table."""
    mixed = torch.zeros_like(place[..., 0])
    for axis, prime in zip(place.unbind(-1), PRIMES, strict=False):
        mixed ^= axis * prime
    return mixed % entries


class FourierFeatures(nn.Module):
    """``(sin(pi B x), cos(pi B x))`` with fixed frequencies ``B``.

    Source: Tancik et al. (2020), Eq. 5.

    >>> FourierFeatures(torch.tensor([[0.5]]))(torch.tensor([[1.0]])).abs().round()
    tensor([[1., 0.]])
    """

    def __init__(self, frequencies: Float[Tensor, "m d"]) -> None:
        super().__init__()
        self.register_buffer("frequencies", frequencies)

    def forward(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n features"]:
        """Encode coordinates."""
        phase = pi * x @ self.frequencies.T
        return torch.cat([phase.sin(), phase.cos()], dim=1)


def _octaves(inputs: int, count: int) -> Tensor:
    """List the frequencies 1, 2, 4, … along each axis."""
    return torch.cat([2.0**k * torch.eye(inputs) for k in range(count)])


def _stack(
    inputs: int, outputs: int, width: int, hidden: int, activation: Callable[[], nn.Module]
) -> nn.Sequential:
    widths = [inputs, *[width] * (hidden + 1)]
    layers = [module for a, b in pairwise(widths) for module in (nn.Linear(a, b), activation())]
    return nn.Sequential(*layers, nn.Linear(width, outputs))


def _encoded(encoding: nn.Module, features: int, outputs: int, width: int, hidden: int) -> nn.Sequential:
    return nn.Sequential(encoding, *_stack(features, outputs, width, hidden, nn.ReLU))


def _finer(inputs: int, outputs: int, width: int, hidden: int) -> nn.Sequential:
    """Initialise as a SIREN, with a wide first bias that spreads the frequencies."""
    net = siren(inputs, outputs, width, hidden)
    nn.init.uniform_(net[0].bias, -1, 1)
    return nn.Sequential(*(Finer() if isinstance(module, Sine) else module for module in net))


NETWORKS: dict[str, Callable[[int, int, int, int], nn.Sequential]] = {
    "siren": siren,
    "mlp": lambda i, o, w, h: _stack(i, o, w, h, nn.ReLU),
    "pemlp": lambda i, o, w, h: _encoded(FourierFeatures(_octaves(i, 8)), 16 * i, o, w, h),
    "ffn": lambda i, o, w, h: _encoded(FourierFeatures(10 * torch.randn(w, i)), 2 * w, o, w, h),
    "gauss": lambda i, o, w, h: _stack(i, o, w, h, lambda: Gauss(10.0)),
    "finer": _finer,
    "wire": lambda i, o, w, h: _stack(i, o, w, h, lambda: Gabor(10.0, 5.0)),
    "hashgrid": lambda i, o, w, h: nn.Sequential(  # noqa: ARG005 - one hidden layer, as is usual
        grid := HashGrid(i), nn.Linear(grid.features, w), nn.ReLU(), nn.Linear(w, o)
    ),
}


def build(name: str, inputs: int, outputs: int, width: int, hidden: int) -> nn.Sequential:
    """Build a coordinate network from ``(n, inputs)`` to ``(n, outputs)``, with hidden layers of one width.

    Args:
        name: A key of ``NETWORKS``.

    Raises:
        ValueError: Another name.

    >>> build("siren", inputs=2, outputs=3, width=16, hidden=1)(torch.zeros(5, 2)).shape
    torch.Size([5, 3])
    """
    if name not in NETWORKS:
        raise ValueError(f"unknown network {name!r}; allowed: {', '.join(NETWORKS)}")
    return NETWORKS[name](inputs, outputs, width, hidden)
