"""Products of masked signals with patches, in groups of samples whose masked signals stay in the cache."""

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

CACHED = 2**17  # masked values of a group


class MaskedProducts(torch.autograd.Function):
    """``sum_f (U o M_f) P_f``: signals ``U`` (n, c, k, q), fixed masks (n, f, 1, k, q), patches (n, q, s)."""

    @staticmethod
    def forward(ctx: Any, signal: Tensor, masks: Tensor, *patches: Tensor) -> Float[Tensor, "n c k s"]:
        """Add up the products of all ``f`` positions."""
        ctx.save_for_backward(masks, *patches)
        total = signal.new_empty(*signal.shape[:3], patches[0].shape[2])
        for part, mask, result, *seen in _groups(signal, masks, total, *patches):
            for i, patch in enumerate(seen):
                result.flatten(1, 2).baddbmm_((part * mask[:, i]).flatten(1, 2), patch, beta=min(i, 1))
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Float[Tensor, "n c k s"]) -> tuple[Tensor | None, ...]:
        """Spread the slope over positions and mask it."""
        masks, *patches = ctx.saved_tensors
        spread = slope.new_zeros(*slope.shape[:3], masks.shape[-1])
        for result, mask, part, *seen in _groups(spread, masks, slope.flatten(1, 2), *patches):
            for i, patch in enumerate(seen):
                result.addcmul_((part @ patch.mT).view_as(result), mask[:, i])
        return spread, *(None for _ in ctx.saved_tensors)


def _groups(signal: Tensor, *others: Tensor) -> Iterator[tuple[Tensor, ...]]:
    size = max(1, CACHED // max(1, signal[:1].numel()))
    return zip(*(tensor.split(size) for tensor in (signal, *others)), strict=True)
