"""The four kinds of tangent kernel, and how each is contracted from per-class features.

While it is put together, a kernel of kind ``full`` has the shape ``(n, c, m, c)``, in which one matrix
product writes it; `finish` reshapes every kind to its public shape.
"""

from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

Kind = Literal["full", "trace", "per_class", "pseudo"]
KINDS: tuple[Kind, ...] = get_args(Kind)
PIECE = 2**14


def contract(left: Float[Tensor, "n c d"], right: Float[Tensor, "m c d"], kind: Kind) -> Float[Tensor, "..."]:
    """Contract per-class features of two batches into a kernel of one kind.

    ``full``: ``<left[n, c], right[m, d]>``, shape ``(n, c, m, c)``; ``trace``: its sum over equal classes,
    ``(n, m)``; ``per_class``: its entries of equal classes, ``(c, n, m)``; ``pseudo``: the kernel of the sum
    of logits, ``(n, m)``.
    """
    if kind == "full":
        kernel = long_product(left.flatten(0, 1), right.flatten(0, 1))
        return kernel.view(*left.shape[:2], *right.shape[:2])
    if kind == "trace":
        return long_product(left.flatten(1), right.flatten(1))
    if kind == "per_class":
        return long_product(left.transpose(0, 1), right.transpose(0, 1))
    return long_product(left.sum(1), right.sum(1))


def long_product(left: Float[Tensor, "*b n d"], right: Float[Tensor, "*b m d"]) -> Float[Tensor, "*b n m"]:
    """Multiply ``left`` with the transpose of ``right``, in pieces along a long inner axis.

    One float32 product over millions of values may lose four digits if it has few rows; sums of shorter
    ones keep six.
    """
    total = None
    for a, b in zip(left.split(PIECE, dim=-1), right.split(PIECE, dim=-1), strict=True):
        if total is None:
            total = a @ b.mT
        elif total.requires_grad or total.ndim > 2:
            total = total + a @ b.mT
        else:
            total.addmm_(a, b.mT)
    return total


def scaling(factor: Float[Tensor, "n m"], kind: Kind) -> Float[Tensor, "..."]:
    """Shape an ``(n, m)`` factor so that it multiplies the two data axes of a kernel of any kind."""
    return factor[:, None, :, None] if kind == "full" else factor


def join(blocks: list[list[Tensor]], kind: Kind) -> Float[Tensor, "..."]:
    """Join the blocks of a kernel along its two data axes."""
    rows, columns = data_axes(kind)
    return torch.cat([torch.cat(line, dim=columns) for line in blocks], dim=rows)


def data_axes(kind: Kind) -> tuple[int, int]:
    """Name the two data axes of a kernel while it is put together."""
    return {"full": (0, 2), "per_class": (1, 2)}.get(kind, (0, 1))


def mirrored(block: Float[Tensor, "..."], kind: Kind) -> Float[Tensor, "..."]:
    """Transpose a block of a symmetric kernel to the other side of the diagonal."""
    return block.permute(2, 3, 0, 1) if kind == "full" else block.mT


def finish(kernel: Float[Tensor, "..."], kind: Kind) -> Float[Tensor, "..."]:
    """Reshape a kernel to its public shape: ``full`` becomes ``(n, m, c, c)``, a view."""
    return kernel.permute(0, 2, 1, 3) if kind == "full" else kernel


def class_pairs(classes: int, kind: Kind) -> int:
    """Count the pairs of classes of which a kernel of some kind takes inner products."""
    return {"full": classes**2, "pseudo": 1}.get(kind, classes)
