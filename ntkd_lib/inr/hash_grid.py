"""A small hash grid: trained features at the corners of grids of several sizes."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

PRIMES = (1, 2_654_435_761, 805_459_861)


class HashGrid(nn.Module):
    """A hash grid: features of each level's corners from a table, linearly interpolated.

    Source: Müller et al. (2022), Sec. 3.

    Args:
        inputs: Coordinates, 1 to 3, from -1 to 1.
        coarsest: Cells along an axis of the first grid.
        growth: Ratio from one grid to the next.

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
