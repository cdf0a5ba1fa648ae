"""Sparse sketch: each coordinate of a gradient is added, with a random sign, to a few entries."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ntkd_lib.ntk.layers.outer import OuterProducts
from ntkd_lib.ntk.sketches.hashing import hashed, key_of

STEP = 2**22  # values of gradients that are formed at a time


class SparseSketch:
    """CountSketch or sparse Johnson-Lindenstrauss sketch of per-sample gradients.

    ``phi = S g / sqrt(s)``: the ``k`` entries are cut into ``s`` blocks, and each coordinate of ``g`` goes to
    one entry of each block with a sign. Entries and signs are hashes of seed, parameter and coordinate, so
    that nothing as large as the network is kept. The parameters' sketches are added, with independent signs:
    the variance of a kernel's entry, for gradients ``g`` and ``h`` of the whole network,

        ``(|g|^2 |h|^2 + (g . h)^2 - 2 sum_i g_i^2 h_i^2) / k``,

    is then that of one sketch of all weights; shares of ``k`` side by side would reach it only if each
    parameter's share were that of its gradient's norm, and are worse otherwise. It does not depend on ``s``;
    more nonzeros make large errors rarer and take ``s`` times as long.

    Source: Charikar, Chen, Farach-Colton (2002); Kane and Nelson (2014), block construction.

    Args:
        size: Entries ``k``.
        nonzeros: Entries that a coordinate goes to, ``s``; divides the size.

    Raises:
        ValueError: A size below 1, or nonzeros that do not divide it.
    """

    def __init__(self, size: int, nonzeros: int = 1, seed: int = 0) -> None:
        if size < 1:
            raise ValueError(f"size: got {size}, needs at least 1")
        if nonzeros < 1 or size % nonzeros:
            raise ValueError(f"nonzeros: got {nonzeros}, needs a divisor of the size {size}")
        self.size, self.nonzeros, self.seed = size, nonzeros, seed

    def whole(self, name: str, gradients: Float[Tensor, "n c p"]) -> Float[Tensor, "n c k"]:
        """Sketch the full gradients of one parameter."""
        tally = self._tally(gradients)
        for places in self._places(name, torch.arange(gradients.shape[2], device=gradients.device)):
            tally.index_add_(2, places, gradients)
        return self._features(tally)

    def lookup(
        self, name: str, places: Int[Tensor, "n d"], signals: Float[Tensor, "n c e d"]
    ) -> Float[Tensor, "n c k"]:
        """Sketch gradients of a table by the rows that were looked up alone."""
        width = signals.shape[2]
        coordinates = places[:, None] * width + torch.arange(width, device=places.device)[:, None]
        tally = self._tally(signals)
        for entries in self._places(name, coordinates.flatten(1)):
            tally.scatter_add_(2, entries[:, None].expand(*tally.shape[:2], -1), signals.flatten(2))
        return self._features(tally)

    def outer(self, name: str, parts: OuterProducts, bias: bool) -> Float[Tensor, "n c k"]:
        """Sketch gradients of a weight that are sums of outer products, formed for some outputs at a time."""
        n, c, g, outputs, _ = parts.signals.shape
        width, tally = parts.inputs.shape[2], self._tally(parts.signals)
        rows = torch.arange(g * outputs, device=tally.device).view(g, outputs)
        for part in torch.arange(outputs, device=tally.device).split(max(1, STEP // (n * c * g * width))):
            gradients = OuterProducts(parts.inputs, parts.signals[:, :, :, part]).gradients().flatten(2)
            coordinates = rows[:, part, None] * width + torch.arange(width, device=tally.device)
            for places in self._places(name, coordinates.flatten()):
                tally.index_add_(2, places, gradients)
        share = self._features(tally)
        return share + self.whole(f"{name}, bias", parts.signals.sum(4).flatten(2)) if bias else share

    def _tally(self, like: Tensor) -> Float[Tensor, "n c tally"]:
        return like.new_zeros(*like.shape[:2], 2 * self.size)

    def _places(self, name: str, coordinates: Int[Tensor, "..."]) -> list[Int[Tensor, "..."]]:
        """Hash each coordinate to an entry per block, plus ``k`` if its sign is negative."""
        width = self.size // self.nonzeros
        drawn = (hashed(coordinates, key_of(self.seed, name, block)) for block in range(self.nonzeros))
        return [(b >> 1) % width + (k * width + (b & 1) * self.size) for k, b in enumerate(drawn)]

    def _features(self, tally: Float[Tensor, "n c tally"]) -> Float[Tensor, "n c k"]:
        return (tally[..., : self.size] - tally[..., self.size :]) / self.nonzeros**0.5
