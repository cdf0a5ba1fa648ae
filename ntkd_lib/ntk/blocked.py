"""Kernels larger than memory: a dask array whose blocks are computed on demand.

It runs where dask runs: on threads of this process, on worker processes of a ``distributed.LocalCluster``,
or on a cluster that a ``distributed.Client(address)`` is connected to. ``save_blocks`` keeps the blocks on
disk, ``randomised_svd`` and ``ridge_solve`` read them block by block.
"""

import threading
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from math import isqrt
from numbers import Integral
from typing import SupportsIndex

import numpy as np
import torch
from jaxtyping import Shaped
from torch import Tensor, nn

from ntkd_lib.imports import extra

with extra("cluster"):
    import cloudpickle
    import dask.array as da

from ntkd_lib.lab import keep_freed_memory, torch_on_one_thread
from ntkd_lib.ntk.assembly import tiled_kernel
from ntkd_lib.ntk.blocked_graph import chunks_of, kernel_digest, kernel_graph, model_digest, samples_digest
from ntkd_lib.ntk.checks import check_model, check_request
from ntkd_lib.ntk.choice import choose_method, choose_tile, measure_network
from ntkd_lib.ntk.empirical import FEW, find_fault, warn_slow
from ntkd_lib.ntk.functional import first_line, plain_operations, split_parameters
from ntkd_lib.ntk.kinds import Kind, class_pairs, finish
from ntkd_lib.ntk.layout import UnsettledError, make_plan, two_samples
from ntkd_lib.ntk.probe import ProbeError, check_results
from ntkd_lib.ntk.tiles import METHODS

Samples = Tensor | np.ndarray

MEMORY = 2**31
SMALLEST_BLOCK = 256
BLOCKS_A_SIDE = 4
# Samples that pass through the network at a time: a backward pass for every class holds far more than is
# kept of a sample. With the colour student 8 take 3.0 ms a sample and 64 take 7.1, most of it to fetch fresh
# memory; LeNet pays 0.3 ms for it.
PIECE = 8
_FORWARD_MODE = threading.Lock()  # torch's forward mode, whose level is global, runs on one thread at a time


@dataclass(frozen=True)
class BlockSettings:
    """Settings of the computation of a block."""

    kind: Kind
    method: str
    tile: int  # samples whose factors fit into memory beside those of as many others


def compute_block(
    packed: bytes,
    settings: BlockSettings,
    left: Shaped[np.ndarray, "n ..."],
    right: Shaped[np.ndarray, "m ..."] | None = None,
) -> Shaped[np.ndarray, "..."]:
    """Compute the kernel between two chunks of samples on one thread.

    Warns:
        SlowKernelWarning: Samples whose rows in a layer change with the batch, and then a loop takes over.
    """
    keep_freed_memory()
    alone = _FORWARD_MODE if settings.method == "products" else nullcontext()
    with alone, plain_operations(), torch_on_one_thread(), torch.no_grad():
        model = cloudpickle.loads(packed)
        x1 = _tensor(left, model)
        plan, kind = make_plan(model, two_samples(x1)), settings.kind
        longest = max(len(left), len(left if right is None else right))
        x2 = None if right is None else _tensor(right, model)

        def compute(method: str, fit: int) -> Tensor:
            tiles = METHODS[method](model, kind, plan, PIECE)
            kernel = finish(tiled_kernel(tiles, kind, x1, x2, fit if fit < longest else None), kind)
            rows, other = int(kind == "per_class"), x1 if x2 is None else x2
            check_results(model, kernel, (x1, rows, " of a block"), (other, rows + 1, " of a block"))
            return kernel

        try:
            kernel = compute(settings.method, settings.tile)
        except (UnsettledError, ProbeError) as error:
            warn_slow(error)
            fit = choose_tile(model, x1, kind, "loop", MEMORY, PIECE, plan)
            kernel = compute("loop", min(settings.tile, fit))
    return laid_out(kernel, kind)


def laid_out(kernel: Shaped[Tensor, "..."], kind: Kind) -> Shaped[np.ndarray, "..."]:
    """Rearrange a kernel with its data axes last; ``full`` as ``(n c, m c)``, grouped by sample."""
    if kind == "full":
        n, m, c, _ = kernel.shape
        kernel = kernel.permute(0, 2, 1, 3).reshape(n * c, m * c)
    return kernel.cpu().numpy()


def _tensor(chunk: np.ndarray, model: nn.Module) -> Tensor:
    # torch.tensor copies into memory aligned by torch, on which the order of sums may depend
    return torch.tensor(chunk, device=next(model.parameters()).device)


def blocked_ntk(
    model: nn.Module,
    x1: Samples,
    x2: Samples | None = None,
    *,
    kind: Kind = "trace",
    block: SupportsIndex | str = "auto",
    method: str = "auto",
    memory: float = MEMORY,
    probe: bool = True,
) -> da.Array:
    """Return a tangent kernel as a lazy dask array.

    Shapes: ``(n, m)`` for kinds ``trace`` and ``pseudo``, ``(c, n, m)`` for ``per_class``, ``(n c, m c)`` for
    ``full``, with the classes of a sample side by side. Of an own kernel only blocks on and above the
    diagonal are computed, those below are their transposes: exactly symmetric. Each block is computed on one
    thread; on machines of one kind the array is the same bit by bit, whatever computes it. The network and
    each chunk of samples are one node of the graph, so they travel once.

    Larger blocks cost fewer operations: a chunk of samples passes through the network once for each block
    that it takes part in.

    Kinds and methods are described in `ntkd_lib.ntk.empirical`.

    Args:
        model: Network with outputs ``(n, c)``; copied, so that it may be trained further.
        x1: First samples, also a ``numpy.memmap``, read chunk by chunk. Not to be changed afterwards.
        x2: Second samples; None for the first themselves.
        block: Samples per side of a block. ``"auto"``: as many as fit into ``memory``, at most a quarter.
        method: Method of `empirical_ntk`; ``"auto"`` is decided once, by the operations of a block.
        memory: Bytes that one task may take; a process that computes blocks keeps freed memory for the next.
        probe: Whether one random entry of the kernel of some samples is compared with plain autograd; blocks
            are computed by a loop, with a warning, if it differs.

    Returns:
        The kernel; its name is the hash of network, samples, settings and code.

    Raises:
        ValueError: As `empirical_ntk`, and a block that is not a number of samples.

    >>> linear = nn.Linear(3, 1, bias=False)
    >>> x = torch.tensor([[1.0, 2.0, 0.0], [0.0, 1.0, 1.0]])
    >>> blocked_ntk(linear, x, block=1).compute()  # a linear model's kernel is X X'
    array([[5., 2.],
           [2., 2.]], dtype=float32)
    """
    if block != "auto" and (not isinstance(block, Integral) or block < 1):
        raise ValueError(f"block: got {block!r}, allowed are a number of samples, at least 1, and 'auto'")
    left, right = _array(x1, "x1", model), None if x2 is None else _array(x2, "x2", model)
    shapes = (x if x is None else torch.empty(x.shape, device="meta") for x in (left, right))
    check_request(*shapes, kind, method, None, memory)
    check_model(model)
    split_parameters(model)
    block, memory = block if block == "auto" else int(block), int(memory)
    try:  # dask's own way of sending a module changes its hooks' dictionaries
        packed = cloudpickle.dumps(model)
    except (RuntimeError, TypeError) as error:  # such as torch's parametrizations
        raise ValueError(f"model: cannot be sent to workers: {first_line(error)}") from None
    columns = len(left if right is None else right)
    side, settings = _plan(model, left, columns, kind, block, method, memory)
    if probe and (error := _fault(model, left, right, settings)):
        warn_slow(error)
        side, settings = _plan(model, left, columns, kind, block, "loop", memory)
    corner = compute_block(packed, settings, left[:1])
    described = {**asdict(settings), "block": side}
    contents = [model_digest(model), samples_digest(left), None if right is None else samples_digest(right)]
    name = f"ntk-{kind}-{kernel_digest(__name__, described, contents)}"
    chunks = chunks_of(left, side), None if right is None else chunks_of(right, side)
    leading = (0,) if settings.kind == "per_class" else ()
    task = (compute_block, f"model-{name}", settings)
    graph = {f"model-{name}": packed, **dict(kernel_graph(name, task, *chunks, leading))}
    return da.Array(graph, name, _sides(corner, left, left if right is None else right, side), corner.dtype)


def _plan(
    model: nn.Module, left: np.ndarray, columns: int, kind: Kind, block: int | str, method: str, memory: int
) -> tuple[int, BlockSettings]:
    """Choose the side of a block, the method, and the number of samples held at a time within a task."""
    sample = _tensor(left[:1], model)
    longer = max(len(left), columns)
    side = -(-longer // BLOCKS_A_SIDE) if block == "auto" else min(block, longer)
    many = sample.expand(side, *sample.shape[1:])
    if method == "auto":
        method = choose_method(model, many, side, kind)
    fit = choose_tile(model, many, kind, method, memory, PIECE)
    if block == "auto":
        sizes = measure_network(model, sample, kind)
        room = isqrt(memory // (3 * class_pairs(sizes.classes, kind) * sizes.width))
        side = min(side, max(fit, min(SMALLEST_BLOCK, room)))
    return side, BlockSettings(kind, method, min(fit, side))


def _fault(
    model: nn.Module, left: np.ndarray, right: np.ndarray | None, settings: BlockSettings
) -> ValueError | None:
    sides = ((x, np.linspace(0, len(x) - 1, FEW, dtype=int)) for x in (left, right) if x is not None)
    few = [_tensor(x[np.unique(places)], model) for x, places in sides]
    return find_fault(model, *few, kind=settings.kind, method=settings.method)


def _sides(corner: np.ndarray, left: np.ndarray, right: np.ndarray, side: int) -> tuple[tuple[int, ...], ...]:
    """List the sizes of all blocks, axis by axis, from the kernel of one sample."""
    sides = [tuple(corner.shape[-1] * len(chunk) for chunk in chunks_of(x, side)) for x in (left, right)]
    return (*((size,) for size in corner.shape[:-2]), *sides)


def _array(samples: object, name: str, model: nn.Module) -> np.ndarray:
    if isinstance(samples, Tensor):
        if samples.dtype == torch.bfloat16:
            raise ValueError(f"{name}: got torch.bfloat16, unknown to NumPy; give float32 or float64")
        return samples.detach().cpu().numpy()
    dtype = getattr(samples, "dtype", type(samples).__name__)
    if getattr(dtype, "kind", "O") not in "biuf":
        raise ValueError(f"{name}: got samples of type {dtype}, allowed are numbers and booleans")
    first = next((p for p in model.parameters() if p.is_floating_point()), torch.empty(0))
    converted = dtype.kind == "f" and first.dtype != torch.bfloat16  # to the network's; unknown to NumPy
    return np.asarray(samples, dtype=str(first.dtype).partition(".")[2] if converted else None)
