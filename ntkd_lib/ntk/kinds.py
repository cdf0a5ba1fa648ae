"""The four kinds of tangent kernel, and how each is contracted from per-class features."""

from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

Kind = Literal["full", "trace", "per_class", "pseudo"]
KINDS: tuple[Kind, ...] = get_args(Kind)


def contract(left: Float[Tensor, "n c d"], right: Float[Tensor, "m c d"], kind: Kind) -> Float[Tensor, "..."]:
    """Contract per-class features of two batches into a kernel of one kind.

    ``full``: ``<left[n, c], right[m, d]>``, shape ``(n, m, c, c)``; ``trace``: its sum over equal classes,
    ``(n, m)``; ``per_class``: its entries of equal classes, ``(c, n, m)``; ``pseudo``: the kernel of the sum
    of logits, ``(n, m)``.

    Args:
        left: Features of the first batch.
        right: Features of the second batch.
        kind: Kind of kernel.

    Returns:
        The kernel.
    """
    if kind == "full":
        return torch.einsum("ncd,mkd->nmck", left, right)
    if kind == "trace":
        return left.flatten(1) @ right.flatten(1).T
    if kind == "per_class":
        return left.transpose(0, 1) @ right.permute(1, 2, 0)
    return left.sum(1) @ right.sum(1).T


def scale(kernel: Float[Tensor, "..."], factor: Float[Tensor, "n m"], kind: Kind) -> Float[Tensor, "..."]:
    """Multiply a kernel of any kind by an ``(n, m)`` factor, entry by entry of its two data axes.

    Args:
        kernel: Kernel of the given kind.
        factor: Factor for each pair of inputs.
        kind: Kind of kernel.

    Returns:
        The scaled kernel, of the same shape.
    """
    return kernel * (factor[:, :, None, None] if kind == "full" else factor)
