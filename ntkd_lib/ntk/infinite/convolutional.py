"""One convolutional ReLU layer of infinitely many filters, pooled or flattened, and a dense read-out."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product
from multiprocessing.pool import ThreadPool

import torch
from jaxtyping import Float, Shaped
from torch import Tensor
from torch.nn import functional

from ntkd_lib.ntk.factors import slices
from ntkd_lib.ntk.infinite.arc_cosine import kappas
from ntkd_lib.ntk.infinite.kernels import Kernels, check_samples, check_spread, symmetrised

STEP = 2**16  # pairs of positions of one step, whose values stay in the cache
Place = tuple[slice, slice]  # samples of the first batch, samples of the second


def convolutional_kernels(
    x1: Shaped[Tensor, "..."],
    x2: Shaped[Tensor, "..."] | None = None,
    *,
    filter_size: int,
    padding: int | None = None,
    window: int | str = 1,
    weight_std: float = 2**0.5,
    bias_std: float = 0.0,
    trained_filters: bool = True,
    dtype: torch.dtype = torch.float64,
    step: int = STEP,
) -> Kernels:
    """Compute the kernels of a convolutional layer with infinitely many random filters and a dense read-out.

    A filter sees the patch ``p(x, i)`` at position ``i`` and gives ``s_w w.p / sqrt(k) + s_b b``, ``k``
    values a patch; its ReLU is averaged over windows ``q`` of ``w x w`` positions, and all filters and all
    ``Q`` windows are read out by one dense layer. With ``C_ij = s_w^2 p(x, i).p(x', j) / k + s_b^2``,

    ``K = s_w^2 / Q sum_q mean_(i, j in q) E[relu relu](C_ij) + s_b^2``,
    ``T = K + s_w^2 / Q sum_q mean_(i, j in q) C_ij E[relu' relu'](C_ij)``.

    The work per pair of samples is ``w^2`` times the number of positions: windows of side 1 (flattened maps)
    take one pair of positions for each position, the global average takes all pairs. Beside the kernels
    no more than a few times ``step`` values are held in each thread.

    Source: Novak et al. (2019) for ``K``, Arora et al. (2019) for ``T``, with one hidden layer; the limit of
    the random filters in Table 5 of the NTKD paper, where these are Gaussian.

    Args:
        x1: First batch of images, ``(n, colours, rows, columns)``.
        x2: Second batch; None for ``x1`` itself, and then the result is exactly symmetric.
        padding: Zeros around the image; None for half the side, which keeps the size if that is odd.
        window: Side of the average windows; 1 flattens the maps, ``"global"`` averages each to one value.
        weight_std: ``s_w``.
        bias_std: ``s_b``.
        trained_filters: Whether the filters are trained; if not, both kernels are ``K``.
        dtype: Type of computation, float64 or float32.
        step: Pairs of positions at a time, at least those of one window of one pair of samples; a GPU wants
            a hundred times the default.

    Raises:
        ValueError: Shapes that do not fit, windows that do not tile the map, values that are not finite.

    >>> pixel = torch.full((1, 1, 1, 1), 2.0)
    >>> convolutional_kernels(pixel, filter_size=1, weight_std=1).ntk  # K = x^2 / 2, T = 2 K
    tensor([[4.]], dtype=torch.float64)
    """
    check_samples(x1, x2, 4, "(samples, colours, rows, columns)")
    check_spread(weight_std, bias_std, dtype)
    if step < 1:
        raise ValueError(f"step: got {step}, needs at least 1 pair of positions")
    padding = filter_size // 2 if padding is None else padding
    rows, columns = _map_size(x1, filter_size, padding)
    tile = _check_window(window, rows, columns)
    windows = rows // tile[0], columns // tile[1]
    layer = _Layer(filter_size, tile, windows, weight_std, bias_std, trained_filters)
    images = [functional.pad(x.to(dtype), (padding,) * 4) for x in (x1, x2) if x is not None]
    return _blocked(layer, images[0], None if x2 is None else images[1], step)


@dataclass(frozen=True)
class _Layer:
    side: int
    window: tuple[int, int]
    windows: tuple[int, int]
    weight_std: float
    bias_std: float
    trained: bool

    @property
    def positions(self) -> int:
        return math.prod(self.window)

    def patches(self, images: Tensor, row: int, column: int) -> tuple[Tensor, Tensor]:
        """Extract the patches of one window: unit vectors ``(n, i, k)`` and norms ``(n, i)``."""
        (height, width), side = self.window, self.side
        top, left = row * height, column * width
        region = images[:, :, top : top + height + side - 1, left : left + width + side - 1]
        patches = region.unfold(2, side, 1).unfold(3, side, 1).permute(0, 2, 3, 1, 4, 5)
        patches = patches.reshape(len(images), self.positions, -1)
        patches = patches * (self.weight_std / patches.shape[2] ** 0.5)
        if self.bias_std:
            patches = functional.pad(patches, (0, 1), value=self.bias_std)
        norms = torch.linalg.vector_norm(patches, dim=2)
        return patches / norms.clamp_min(torch.finfo(norms.dtype).tiny)[..., None], norms

    def block(self, left: Tensor, right: Tensor) -> Kernels:
        """Compute the kernels between some samples and some others, window by window."""
        values = slopes = left.new_zeros(len(left), len(right))
        for row, column in product(*map(range, self.windows)):
            units1, norms1 = self.patches(left, row, column)
            units2, norms2 = (units1, norms1) if right is left else self.patches(right, row, column)
            cosines = units1.flatten(0, 1) @ units2.flatten(0, 1).T
            zero, one = kappas(cosines)
            values = values + _weighed(norms1, one, norms2)
            if self.trained:
                slopes = slopes + _weighed(norms1, zero * cosines, norms2)
        scale = self.weight_std**2 / (2 * math.prod(self.windows) * self.positions**2)
        nngp = scale * values + self.bias_std**2
        return Kernels(nngp, nngp + scale * slopes)


def _weighed(left: Tensor, values: Tensor, right: Tensor) -> Float[Tensor, "n m"]:
    (n, p), (m, q) = left.shape, right.shape
    if p == q == 1:  # as a batch of products this takes thrice the time
        return values * left * right.T
    rows = torch.bmm(left[:, None], values.view(n, p, m * q)).view(n, m, q)
    return (rows * right).sum(2)


def _blocked(layer: _Layer, left: Tensor, right: Tensor | None, step: int) -> Kernels:
    samples = max(1, math.isqrt(step) // layer.positions)
    other = left if right is None else right
    nngp = left.new_empty(len(left), len(other))
    ntk = torch.empty_like(nngp)
    places = product(*(slices(len(side), samples) for side in (left, other)))
    places = [(i, j) for i, j in places if right is not None or i.start <= j.start]
    for (i, j), block in _in_threads(partial(_block, layer, left, right), places, left.is_cpu):
        for whole, part in zip((nngp, ntk), block, strict=True):
            whole[i, j] = part
            if right is None and i != j:
                whole[j, i] = part.T
    return Kernels(nngp, ntk)


def _block(layer: _Layer, left: Tensor, right: Tensor | None, place: Place) -> Kernels:
    i, j = place
    if right is None and i == j:
        own = left[i]
        return symmetrised(layer.block(own, own))
    return layer.block(left[i], left[j] if right is None else right[j])


def _in_threads(
    compute: Callable[[Place], Kernels], places: list[Place], shared: bool
) -> Iterator[tuple[Place, Kernels]]:
    """Compute blocks in as many threads as torch has, each with single-threaded operations."""
    # small operations spread over all threads took twenty times as long on two busy cores as on one
    threads = torch.get_num_threads()
    if not shared or threads == 1 or len(places) == 1:
        yield from ((place, compute(place)) for place in places)
        return
    graph = torch.is_grad_enabled()

    def computed(place: Place) -> tuple[Place, Kernels]:
        with torch.set_grad_enabled(graph):
            return place, compute(place)

    try:
        with ThreadPool(min(threads, len(places)), torch.set_num_threads, (1,)) as pool:
            yield from pool.imap(computed, places)
    finally:
        torch.set_num_threads(threads)


def _map_size(images: Tensor, side: int, padding: int) -> tuple[int, int]:
    if side < 1:
        raise ValueError(f"filter_size: got {side}, needs at least 1 pixel")
    if padding < 0:
        raise ValueError(f"padding: got {padding}, needs at least 0 pixels")
    rows, columns = (size + 2 * padding - side + 1 for size in images.shape[2:])
    if min(rows, columns) < 1:
        sizes, most = "{} x {}".format(*images.shape[2:]), min(images.shape[2:]) + 2 * padding
        why = f"images of {sizes} pixels with padding {padding} allow at most {most}"
        raise ValueError(f"filter_size: got {side}, {why}")
    return rows, columns


def _check_window(window: int | str, rows: int, columns: int) -> tuple[int, int]:
    if window == "global":
        return rows, columns
    if isinstance(window, str) or window < 1 or rows % window or columns % window:
        allowed = f"'global' and a side that divides maps of {rows} x {columns}"
        raise ValueError(f"window: got {window!r}, allowed are {allowed}")
    return window, window
