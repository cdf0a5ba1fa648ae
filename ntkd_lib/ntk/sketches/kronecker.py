"""Kronecker sketch: gradients that are sums of outer products are sketched by their two parts."""

from math import isqrt

import torch
from jaxtyping import Float
from torch import Tensor

from ntkd_lib.ntk.layers.outer import OuterProducts
from ntkd_lib.ntk.sketches.hashing import key_of, signs
from ntkd_lib.ntk.sketches.sparse import STEP, SparseSketch

SCATTER = 100  # operations of a product in the time of one scattered or element-wise addition; measured


class KroneckerSketch(SparseSketch):
    """Sketch ``phi = sum_d (S_B B_d) (S_A A_d)'`` of gradients ``G = sum_d B_d A_d'``, which are not formed.

    ``size = m b^2`` features are ``m`` independent pairs of sign matrices with ``b`` rows each, divided by
    ``sqrt(size)``. For gradients of one position, ``b = 1`` has at most four times the variance of a dense
    sketch, ``8 / k`` of a squared entry against ``2 / k``; ``b > 1`` has at most ``(4 b + 4) / k`` and takes
    ``1 / b`` of the work; ``b = sqrt(size)`` is LoGra's sketch, whose error falls like ``k^(-1/4)`` only. The
    parameters' sketches are added and not concatenated, for the reason stated in `SparseSketch`; that
    sketch is also taken for all parameters without such parts, and for weights for which it is cheaper:
    small ones, and those used at many positions. Keeps ``k (o + i) / b`` signs per weight.

    Source: Choe et al. (2024), LoGra; Rudelson and Zhou (2017), independent row products.

    Args:
        block: Rows ``b`` of each sign matrix; its square divides the size.

    Raises:
        ValueError: A size below 1, or a block whose square does not divide it.
    """

    def __init__(self, size: int, seed: int = 0, block: int = 1) -> None:
        super().__init__(size, seed=seed)
        if block < 1 or size % block**2:
            allowed = f"a number whose square divides the size {size}, at most {isqrt(size)}"
            raise ValueError(f"block: got {block}, needs {allowed}")
        self.block = block
        self._drawn: dict[tuple[object, ...], tuple[Tensor, Tensor]] = {}
        self._counted: dict[str, bool] = {}  # by weight, chosen once: the two ways do not match each other

    def outer(self, name: str, parts: OuterProducts, bias: bool) -> Float[Tensor, "n c k"]:
        """Sketch gradients of a weight in the cheaper way: by factors, or formed and hashed."""
        if self._counted.setdefault(name, self._counting_work(parts) <= self._projecting_work(parts)):
            return super().outer(name, parts, bias)
        return self.projected(name, parts, bias)

    def projected(self, name: str, parts: OuterProducts, bias: bool) -> Float[Tensor, "n c k"]:
        """Sketch gradients of a weight by their factors."""
        ones = torch.ones_like(parts.inputs[:, :, :1])
        inputs = torch.cat([parts.inputs, ones], 2) if bias else parts.inputs
        n, c, g, _, d = parts.signals.shape
        left, right = self._matrices(name, OuterProducts(inputs, parts.signals))
        a = inputs.permute(1, 0, 3, 2).reshape(g, n * d, -1)
        b = parts.signals.permute(2, 0, 1, 4, 3).reshape(g, n * c * d, -1)
        step = max(1, STEP // (g * n * d * (c + 1) * self.block)) * self.block
        pieces = []
        for rows in (slice(i, i + step) for i in range(0, left.shape[2], step)):
            pulled = (b @ left[..., rows]).view(g, n, c, d, -1, self.block)
            pieces.append(_met(pulled, (a @ right[..., rows]).view(g, n, d, -1, self.block)))
        return torch.cat(pieces, dim=2).flatten(2) / self.size**0.5

    def _matrices(
        self, name: str, parts: OuterProducts
    ) -> tuple[Float[Tensor, "g o r"], Float[Tensor, "g i r"]]:
        """Return the sign matrices of one weight, drawn once; ``r = m b``."""
        rows, like = self.size // self.block, parts.signals
        g, i, o = *parts.inputs.shape[1:3], like.shape[3]
        key = (name, g, o, i, like.dtype, like.device)
        if key not in self._drawn:
            left = signs(key_of(self.seed, name, "signals"), (g, o, rows)).to(like)
            self._drawn[key] = left, signs(key_of(self.seed, name, "inputs"), (g, i, rows)).to(like)
        return self._drawn[key]

    def _projecting_work(self, parts: OuterProducts) -> int:
        _, c, g, o, d = parts.signals.shape
        products = 2 * (self.size // self.block) * (c * o + parts.inputs.shape[2])
        return g * d * (products + SCATTER * c * self.size)

    def _counting_work(self, parts: OuterProducts) -> int:
        _, c, g, o, d = parts.signals.shape
        return c * g * o * parts.inputs.shape[2] * (2 * d + SCATTER)


def _met(left: Float[Tensor, "g n c d m b"], right: Float[Tensor, "g n d m b"]) -> Float[Tensor, "n c m bb"]:
    """Sum ``left right'`` over groups and positions."""
    if left.shape[-1] == 1:
        return (left * right[:, :, None]).sum((0, 3))
    return torch.einsum("gncdmb,gndme->ncmbe", left, right).flatten(3)
