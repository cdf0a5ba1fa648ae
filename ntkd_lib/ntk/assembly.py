"""Assemble a kernel from blocks: written in place, or concatenated if gradients flow through it."""

from collections.abc import Callable
from functools import partial

import torch
from jaxtyping import Shaped
from torch import Tensor, nn

from ntkd_lib.ntk.factors import Factor, slices
from ntkd_lib.ntk.kinds import Kind, data_axes, join, mirrored
from ntkd_lib.ntk.layout import Plan
from ntkd_lib.ntk.structured import visit_factors
from ntkd_lib.ntk.tiles import TileData, Tiles

# Blocks per side into which a symmetric kernel is cut, so that nearly half of its products are saved.
SYMMETRIC_BLOCKS = 8
SMALLEST_BLOCK = 16
ROOM = 2**21  # values of gradients that are formed at a time, so that they are used while in the cache
Observer = Callable[[int | None, slice, TileData], None]


def ignore(side: int | None, part: slice, data: TileData) -> None:
    """Observe nothing."""


def tiled_kernel(
    tiles: Tiles,
    kind: Kind,
    x1: Shaped[Tensor, "n ..."],
    x2: Shaped[Tensor, "m ..."] | None,
    tile: int | None,
    observe: Observer = ignore,
) -> Tensor:
    """Compute a kernel in blocks; of a batch with itself those above the diagonal and their mirrors."""
    own, other = x2 is None, x1 if x2 is None else x2
    take = _TileReader(tiles, x1, tile, partial(observe, None if own else 0))
    take2 = take if own else _TileReader(tiles, other, tile, partial(observe, 1))
    collector = _BlockJoiner(kind) if torch.is_grad_enabled() else _KernelWriter(kind, len(x1), len(other))
    columns = slices(len(other), tile or (_block(len(x1)) if own else len(other)))
    for a in slices(len(x1), tile or (_block(len(x1)) if own else len(x1))):
        left = take(a)
        for b in (part for part in columns if not own or part.start >= a.start):
            block = tiles.pair(left, left if own and a == b else take2(b))
            collector.put(a, b, (block + mirrored(block, kind)) / 2 if own and a == b else block)
            if own and a != b:
                collector.put(b, a, mirrored(block, kind))
    return collector.kernel()


def _block(n: int) -> int:
    return max(SMALLEST_BLOCK, -(-n // SYMMETRIC_BLOCKS))


def streamed_kernel(
    model: nn.Module,
    kind: Kind,
    x1: Shaped[Tensor, "n ..."],
    x2: Shaped[Tensor, "m ..."] | None,
    plan: Plan,
    observe: Callable[[str, Factor | Tensor], None] | None,
) -> Tensor:
    """Compute a kernel parameter by parameter, each dropped when its contribution has been added.

    Args:
        x2: Second batch, which passes through the network with the first; None for the first itself.
        observe: Called with the factors of all samples, the second batch behind the first, and with the sum
            of their products before it is made symmetric, under no name; or None.
    """
    n, total = len(x1), None
    rows = slices(n, _block(n) if x2 is None else n)
    columns = rows if x2 is None else [slice(n, n + len(x2))]
    pairs = [(a, b) for a in rows for b in columns if a.start <= b.start]

    def add(name: str, factor: Factor) -> None:
        nonlocal total
        if observe is not None:
            observe(name, factor)
        parts = {part.start: factor.rows(part) for part in (*rows, *columns)}
        total = _KernelWriter(kind, n, n if x2 is None else len(x2)) if total is None else total
        for a, b in pairs:
            total.add(a, b if x2 is None else slice(0, len(x2)), parts[a.start].pair(parts[b.start], kind))

    visit_factors(model, x1 if x2 is None else torch.cat([x1, x2]), kind, plan, add, ROOM)
    if observe is not None:
        observe("", total.kernel())
    for a, b in pairs if x2 is None else ():
        block = total.part(a, b)
        total.put(b, a, mirrored((block + mirrored(block, kind)) / 2 if a == b else block, kind))
    return total.kernel()


class _TileReader:
    def __init__(self, tiles: Tiles, x: Tensor, tile: int | None, observe: Callable) -> None:
        self.tiles, self.x, self.observe = tiles, x, observe
        self.whole: TileData | None = self._keep(slice(0, len(x))) if tile is None else None

    def __call__(self, part: slice) -> TileData:
        return self._keep(part) if self.whole is None else self.tiles.rows(self.whole, part)

    def _keep(self, part: slice) -> TileData:
        data = self.tiles.keep(self.x[part])
        self.observe(part, data)
        return data


class _KernelWriter:
    """Blocks written into one kernel that is allocated once, or added to it."""

    def __init__(self, kind: Kind, n: int, m: int) -> None:
        self.kind, self.sides, self.whole = kind, (n, m), None

    def put(self, a: slice, b: slice, block: Tensor) -> None:
        self._open(block).part(a, b).copy_(block)

    def add(self, a: slice, b: slice, block: Tensor) -> None:
        self._open(block).part(a, b).add_(block)

    def part(self, a: slice, b: slice) -> Tensor:
        rows, columns = data_axes(self.kind)
        part = self.whole.narrow(rows, a.start, a.stop - a.start)
        return part.narrow(columns, b.start, b.stop - b.start)

    def _open(self, block: Tensor) -> "_KernelWriter":
        if self.whole is None:
            shape = list(block.shape)
            for axis, side in zip(data_axes(self.kind), self.sides, strict=True):
                shape[axis] = side
            self.whole = block.new_zeros(shape)
        self.whole = self.whole.to(torch.promote_types(self.whole.dtype, block.dtype))
        return self

    def kernel(self) -> Tensor:
        return self.whole


class _BlockJoiner:
    """Blocks that are concatenated at the end, so that gradients flow."""

    def __init__(self, kind: Kind) -> None:
        self.kind, self.blocks = kind, {}

    def put(self, a: slice, b: slice, block: Tensor) -> None:
        self.blocks.setdefault(a.start, {})[b.start] = block

    def kernel(self) -> Tensor:
        lines = [[line[b] for b in sorted(line)] for _, line in sorted(self.blocks.items())]
        return join(lines, self.kind)
