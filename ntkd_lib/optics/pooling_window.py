"""Filters and 2 x 2 pooling combined: maps before the pooling are computed window by window."""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

# Positions of a 2 x 2 pooling window, row by row.
WINDOW = ((0, 0), (0, 1), (1, 0), (1, 1))


def seen_by_place(images: Float[Tensor, "n l h w"], side: int) -> Iterator[Float[Tensor, "n q s"]]:
    """Extract what filters see at each pixel of the pooling windows; ``q = h w / 4``, ``s = l side^2``."""
    padded = functional.pad(images, (side // 2,) * 4)
    windows = padded.unfold(2, side + 1, 2).unfold(3, side + 1, 2).permute(0, 1, 4, 5, 2, 3).contiguous()
    for down, right in WINDOW:
        seen = windows[:, :, down : down + side, right : right + side]
        yield seen.reshape(len(images), images.shape[1] * side**2, -1).transpose(1, 2)


def placed_filters(filters: Float[Tensor, "k l s s"]) -> Float[Tensor, "p l t t"]:
    """Place filters at the four positions of a window, position-major: ``t = s + 1``, ``p = 4 k``."""
    return torch.cat([functional.pad(filters, (j, 1 - j, i, 1 - i)) for i, j in WINDOW])


def window_maps(
    images: Float[Tensor, "n l h w"], placed: Float[Tensor, "p l t t"]
) -> Float[Tensor, "n p u v"]:
    """Correlate every pooling window with placed filters, or with averages of them over positions.

    In bfloat16 on a CPU the 2 x 2 pixels of each cell become channels and stride 2 becomes 1: the same
    products in a shape that the library computes in half the time. The maps are channels-last then.
    """
    seen = functional.pad(images, (placed.shape[-1] // 2 - 1,) * 4)
    if images.device.type == "cpu" and torch.is_autocast_enabled("cpu"):
        return functional.conv2d(_cells(seen), _cells(placed))
    return functional.conv2d(seen, placed, stride=2)


def _cells(images: Float[Tensor, "n l h w"]) -> Float[Tensor, "n m u v"]:
    images = images.to(torch.get_autocast_dtype("cpu"))
    cells = torch.cat([images[:, :, i::2, j::2] for i, j in WINDOW], dim=1)
    return cells.contiguous(memory_format=torch.channels_last)


def sum_over_window(maps: Float[Tensor, "n 4 k q"]) -> Float[Tensor, "n k q"]:
    """Add up maps over the four positions of a pooling window.

    Channels-last maps are added up by a product, which takes a quarter of a reduction's time.
    """
    if maps.stride(3) == 1:
        return maps.sum(1)
    side_by_side = maps.permute(0, 3, 1, 2).flatten(2)
    same_filter = torch.eye(maps.shape[2], dtype=maps.dtype, device=maps.device).repeat(4, 1)
    return (side_by_side @ same_filter).transpose(1, 2)
