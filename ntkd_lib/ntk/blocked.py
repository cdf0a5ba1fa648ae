"""Kernels larger than memory: a dask array whose blocks are computed on demand.

It runs where dask runs: on threads of this process, on worker processes of a ``distributed.LocalCluster``,
or on a cluster that a ``distributed.Client(address)`` is connected to. ``save_blocks`` keeps the blocks on
disk, ``randomised_svd`` and ``ridge_solve`` read them block by block.
"""

from dataclasses import asdict
from math import isqrt

import numpy as np
import torch
from torch import Tensor, nn

from ntkd_lib.imports import extra

with extra("cluster"):
    import cloudpickle
    import dask.array as da

from ntkd_lib.ntk.blocked_graph import chunks_of, kernel_graph
from ntkd_lib.ntk.blocked_identity import kernel_digest, model_digest, samples_digest
from ntkd_lib.ntk.blocked_tasks import PIECE, BlockSettings, compute_block
from ntkd_lib.ntk.checks import check_model, check_request
from ntkd_lib.ntk.choice import choose_method, choose_tile, measure_network
from ntkd_lib.ntk.empirical import FEW, find_fault, warn_slow
from ntkd_lib.ntk.kinds import Kind, class_pairs

Samples = Tensor | np.ndarray

MEMORY = 2**31
SMALLEST_BLOCK = 256
BLOCKS_A_SIDE = 4


def blocked_ntk(
    model: nn.Module,
    x1: Samples,
    x2: Samples | None = None,
    *,
    kind: Kind = "trace",
    block: int | str = "auto",
    method: str = "auto",
    memory: int = MEMORY,
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
        memory: Bytes that one task may take.
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
    _check_block(block)
    left, right = _array(x1, "x1"), None if x2 is None else _array(x2, "x2")
    check_request(_sizes(left), None if right is None else _sizes(right), kind, method, None, memory)
    check_model(model)
    packed = cloudpickle.dumps(model)  # dask's own way of sending a module changes its hooks' dictionaries
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
    sample = torch.tensor(left[:1], device=next(model.parameters()).device)
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
    device = next(model.parameters()).device
    few = [
        None
        if x is None
        else torch.tensor(x[np.unique(np.linspace(0, len(x) - 1, FEW, dtype=int))], device=device)
        for x in (left, right)
    ]
    return find_fault(model, *few, settings.kind, settings.method)


def _sides(corner: np.ndarray, left: np.ndarray, right: np.ndarray, side: int) -> tuple[tuple[int, ...], ...]:
    """List the sizes of all blocks, axis by axis, from the kernel of one sample."""
    rows = corner.shape[-1]
    sides = [tuple(rows * len(chunk) for chunk in chunks_of(x, side)) for x in (left, right)]
    return (*((size,) for size in corner.shape[:-2]), *sides)


def _array(samples: Samples, name: str) -> np.ndarray:
    if isinstance(samples, Tensor):
        if samples.dtype == torch.bfloat16:
            raise ValueError(
                f"{name}: got torch.bfloat16, which NumPy does not know; give float32 or float64"
            )
        return samples.detach().cpu().numpy()
    if samples.dtype.kind not in "biuf":
        raise ValueError(f"{name}: got samples of type {samples.dtype}, allowed are numbers and booleans")
    return np.asarray(samples)


def _sizes(samples: np.ndarray) -> Tensor:
    return torch.empty(samples.shape, device="meta")


def _check_block(block: int | str) -> None:
    if block != "auto" and (not isinstance(block, int) or block < 1):
        raise ValueError(f"block: got {block!r}, allowed are a number of samples, at least 1, and 'auto'")
