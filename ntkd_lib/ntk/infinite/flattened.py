"""The tangent kernel of infinitely many filters on flattened maps, for tens of thousands of images."""

import os
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from inspect import unwrap
from itertools import product
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Shaped
from numpy.polynomial import Chebyshev, Polynomial
from torch import Tensor
from torch.nn import functional

from ntkd_lib.ntk.infinite.arc_cosine import ROUNDINGS
from ntkd_lib.ntk.infinite.kernels import check_samples, check_spread

TILE = 128  # images per side of a tile, whose products of a row of positions nearly fit into a second cache
DEGREE = 8
COMPILERS = (os.environ.get("CXX", "c++"), "g++", "clang++")


def flattened_ntk(
    x1: Shaped[Tensor, "..."],
    x2: Shaped[Tensor, "..."] | None = None,
    *,
    filter_size: int,
    weight_std: float = 2**0.5,
    compiled: bool = False,
) -> Float[Tensor, "n m"]:
    """Compute the tangent kernel of `convolutional_kernels` for windows of side 1 and no biases, in float32.

    With ``C`` the product of two patches, ``n`` and ``n'`` their norms and ``u = C / (n n')``

    ``T = s_w^4 / (2 pi k Q) sum_q [pi C + n n' g(sqrt(1 - u^2))]``, ``g(s) = s + 2 sqrt(1 - s^2) arccos s``

    sums over ``Q`` positions of ``k`` values. ``g`` is smooth on [0, 1], so that a polynomial gives it to
    rounding, where the angle itself costs five times as much. ``C`` is a sum over the filter's columns; from
    one position to the next it gains a column and loses one, which for whole intensities below 256 is exact
    in float32. Cosines within a few roundings of 1 count as 1.

    Args:
        x1: First batch of images, ``(n, colours, rows, columns)``; bytes or any real numbers.
        x2: Second batch; None for ``x1`` itself, and then the result is exactly symmetric.
        filter_size: Side of the filters, odd; zeros around the image keep its size.
        weight_std: ``s_w``.
        compiled: Whether torch compiles the inner sum: several times faster, but it needs a C++ compiler
            and, once, ten seconds or more.

    Raises:
        ValueError: Shapes that do not fit, an even side, values that are not finite, a missing compiler.

    >>> pixel = torch.full((1, 1, 1, 1), 2.0)
    >>> flattened_ntk(pixel, filter_size=1, weight_std=1)  # x^2
    tensor([[4.]])
    """
    check_samples(x1, x2, 4, "(samples, colours, rows, columns)")
    check_spread(weight_std, 0.0, torch.float32)
    check_form(filter_size, compiled=compiled)
    sums = _summed(x1, x2, filter_size, _compiled_row_sum() if compiled else _row_sum)
    count = x1.shape[1] * filter_size**2 * x1.shape[2] * x1.shape[3]
    return sums.mul_(weight_std**4 / (2 * torch.pi * count))


def check_form(filter_size: int, *, compiled: bool) -> None:
    """Refuse filters of even side, and compilation without a compiler.

    Raises:
        ValueError: What came and what is allowed, in one line.
    """
    if filter_size < 1 or filter_size % 2 == 0:
        raise ValueError(f"filter_size: got {filter_size}, allowed are odd sides of at least 1 pixel")
    if compiled and not any(map(shutil.which, COMPILERS)):
        raise ValueError(f"compiled: got True, needs a C++ compiler ({', '.join(COMPILERS)}); none is found")


class _PositionRow(NamedTuple):
    """The patches of one row of positions in the images of a tile."""

    strips: Float[Tensor, "columns n values"]
    norms: Float[Tensor, "positions n"]
    inverses: Float[Tensor, "positions n"]  # one over them; 0 for dark patches


RowSum = Callable[[Tensor, _PositionRow, _PositionRow], Tensor]


@torch.no_grad()
def _summed(x1: Tensor, x2: Tensor | None, side: int, row_sum: RowSum) -> Tensor:
    own, other = x2 is None, x1 if x2 is None else x2
    left = _whole_tiles(x1)
    right = left if own else _whole_tiles(other)
    total = left.new_zeros(len(left), len(right))
    for first, second in zip(_rows(left, side), _rows(right, side), strict=True):
        for (i, one), (j, two) in product(enumerate(first), enumerate(second)):
            if j >= i or not own:
                tile = total[i * TILE : (i + 1) * TILE, j * TILE : (j + 1) * TILE]
                tile += row_sum(torch.bmm(one.strips, two.strips.transpose(1, 2)), one, two)
    total = total[: len(x1), : len(other)].clone()
    if own:  # the diagonal are the patches' squared norms
        total += total.triu_(1).T.clone()
        squares = _squared_norms(x1.float(), side).double().sum((1, 2))
        total.diagonal().copy_(2 * torch.pi * squares)
    return total


def _whole_tiles(images: Tensor) -> Tensor:
    """Add dark images, so that all tiles have one shape and the step is compiled once."""
    return functional.pad(images.float(), (0, 0) * 3 + (0, -len(images) % TILE))


def _rows(images: Tensor, side: int) -> Iterator[list[_PositionRow]]:
    """Iterate over the rows of positions, tile by tile in each."""
    width = images.shape[3] + side - 1
    norms = _squared_norms(images, side).sqrt_()
    padded = functional.pad(images, (side // 2,) * 4)
    for row in range(images.shape[2]):
        strips = padded[:, :, row : row + side].permute(3, 0, 1, 2).reshape(width, len(images), -1)
        own = norms[:, row].T
        parts = (strips, own, torch.where(own > 0, 1 / own, 0))
        tiles = zip(*(part.split(TILE, dim=1) for part in parts), strict=True)
        yield [_PositionRow(*(part.contiguous() for part in tile)) for tile in tiles]


def _squared_norms(images: Tensor, side: int) -> Float[Tensor, "n h w"]:
    return functional.avg_pool2d(images.square().sum(1), side, 1, side // 2, divisor_override=1)


def _row_sum(columns: Tensor, one: _PositionRow, two: _PositionRow) -> Tensor:
    """Sum over the positions of a row; from each to the next the product gains a column and loses one."""
    positions = len(one.norms)
    width = len(columns) - positions
    inner = columns[:width].sum(0)
    total = torch.zeros_like(columns[0])
    for j in range(positions):
        inner = inner + columns[j + width]
        cosine = inner * (one.inverses[j][:, None] * two.inverses[j])
        square = 1 - cosine * cosine
        sine = torch.where(square > END, square, 0).sqrt()
        value = sine * COEFFICIENTS[-1] + COEFFICIENTS[-2]
        for coefficient in COEFFICIENTS[-3::-1]:
            value = value * sine + coefficient
        total = total + one.norms[j][:, None] * two.norms[j] * value + torch.pi * inner
        inner = inner - columns[j]
    return total


@cache
def _compiled_row_sum() -> RowSum:
    # types that are checked at run time do not compile; to multiply and add at once is no less exact
    options = {"cpp.enable_floating_point_contract_flag": "fast"}
    return torch.compile(unwrap(_row_sum), fullgraph=True, dynamic=False, options=options)


def _coefficients() -> list[float]:
    """Interpolate ``g`` on [0, 1] at Chebyshev points; of degree 8, within 5e-8."""

    def of_sine(x: Float[np.ndarray, " p"]) -> Float[np.ndarray, " p"]:
        sine = (x + 1) / 2
        return sine + 2 * np.sqrt(1 - sine**2) * np.arccos(sine)

    powers = Chebyshev.interpolate(of_sine, DEGREE).convert(kind=Polynomial)
    return [float(value) for value in powers(Polynomial([-1, 2])).coef]


COEFFICIENTS = _coefficients()
END = 2 * ROUNDINGS * torch.finfo(torch.float32).eps
