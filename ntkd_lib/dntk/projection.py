"""Stage 2, a dense Gaussian projection of per-class gradients, drawn anew in chunks from a seed."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ntkd_lib.ntk.layers.outer import OuterProducts
from ntkd_lib.ntk.sketches.hashing import key_of

CHUNK = 4096  # coordinates whose part of the matrix is drawn at a time


class GaussianProjection:
    """Projection ``phi = Q' g / sqrt(k)`` with independent standard normal entries of ``Q``.

    A sketch for `ntkd_lib.ntk.sketches.stream`. The variance of an entry ``phi . phi'`` is
    ``(|g|^2 |h|^2 + (g . h)^2) / k``, and the work ``2 p k`` a gradient: more than an inner product with each
    of ``k`` other gradients.

    Source: DNTK paper, stage 2; Johnson and Lindenstrauss (1984).

    Raises:
        ValueError: A size below 1.
    """

    def __init__(self, size: int, seed: int = 0) -> None:
        if size < 1:
            raise ValueError(f"size: got {size}, needs at least 1")
        self.size, self.seed = size, seed

    def whole(self, name: str, gradients: Float[Tensor, "n c p"]) -> Float[Tensor, "n c k"]:
        """Project the full gradients of one parameter."""
        parts = enumerate(gradients.split(CHUNK, dim=2))
        return sum(part @ self._matrix(name, i, part) for i, part in parts) / self.size**0.5

    def lookup(
        self, name: str, places: Int[Tensor, "n d"], signals: Float[Tensor, "n c e d"]
    ) -> Float[Tensor, "n c k"]:
        """Refuse tables: their dense matrix would be as large as the table, times ``k``.

        Raises:
            ValueError: Always.
        """
        sizes = f"{tuple(places.shape)} places, signals {tuple(signals.shape)}"
        raise ValueError(f"{name}: an embedding ({sizes}) is not projected densely; take SparseSketch")

    def outer(self, name: str, parts: OuterProducts, bias: bool) -> Float[Tensor, "n c k"]:
        """Form gradients of a weight and project them."""
        share = self.whole(name, parts.gradients().flatten(2))
        return share + self.whole(f"{name}, bias", parts.signals.sum(4).flatten(2)) if bias else share

    def _matrix(self, name: str, chunk: int, like: Tensor) -> Float[Tensor, "p k"]:
        generator = torch.Generator().manual_seed(key_of(self.seed, name, chunk))
        return torch.randn(like.shape[2], self.size, generator=generator, dtype=torch.float32).to(like)
