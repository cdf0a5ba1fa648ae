"""The tangent kernel of infinitely many filters as a dask array, for kernels larger than memory."""

import numpy as np
import torch
from jaxtyping import Float, Shaped

from ntkd_lib.imports import extra

with extra("cluster"):
    import dask.array as da

from ntkd_lib.lab import keep_freed_memory, torch_on_one_thread
from ntkd_lib.ntk.blocked_graph import chunks_of, kernel_digest, kernel_graph, samples_digest
from ntkd_lib.ntk.infinite.flattened import TILE, check_form, flattened_ntk

BLOCK = 20 * TILE

Images = Shaped[np.ndarray, "_ l h w"]


def blocked_flattened_ntk(
    x1: Images,
    x2: Images | None = None,
    *,
    filter_size: int,
    weight_std: float = 2**0.5,
    block: int = BLOCK,
    compiled: bool = False,
) -> da.Array:
    """Return the kernel of `flattened_ntk` as a lazy dask array.

    `save_blocks` stores its blocks on disk and resumes, `ridge_solve` reads them from there. Of
    an own kernel only blocks on and above the diagonal are computed, those below are their transposes. Each
    block is computed on one thread.

    Args:
        x1: First images, ``(n, colours, rows, columns)``; not to be changed afterwards.
        x2: Second images; None for the first themselves.
        filter_size: Side of the filters, odd.
        weight_std: ``s_w``.
        block: Images per side of a block; a multiple of the tile wastes nothing.
        compiled: As in `flattened_ntk`.

    Raises:
        ValueError: As `flattened_ntk`, and a block of no images.

    >>> pixels = np.array([1.0, 2.0, 3.0]).reshape(3, 1, 1, 1)
    >>> blocked_flattened_ntk(pixels, filter_size=1, weight_std=1, block=2).compute()  # x x'
    array([[1., 2., 3.],
           [2., 4., 6.],
           [3., 6., 9.]], dtype=float32)
    """
    if block < 1:
        raise ValueError(f"block: got {block}, needs at least 1 image")
    check_form(filter_size, compiled=compiled)
    settings = {"filter_size": filter_size, "weight_std": weight_std, "compiled": compiled}
    for images in (x1,) if x2 is None else (x1, x2):
        _block(settings | {"compiled": False}, images[:1], x1[:1])  # refuses now what a task would refuse
    contents = [samples_digest(x1), None if x2 is None else samples_digest(x2)]
    name = f"ntk-flattened-{kernel_digest(__name__, settings | {'block': block}, contents)}"
    chunks = chunks_of(x1, block), None if x2 is None else chunks_of(x2, block)
    graph = dict(kernel_graph(name, (_block, settings), *chunks))
    sides = tuple(tuple(map(len, side or chunks[0])) for side in chunks)
    return da.Array(graph, name, sides, np.float32)


def _block(settings: dict[str, float], left: Images, right: Images | None = None) -> Float[np.ndarray, "n m"]:
    keep_freed_memory()
    with torch_on_one_thread():
        tensors = (x if x is None else torch.tensor(x.copy()) for x in (left, right))
        return flattened_ntk(*tensors, **settings).numpy()
