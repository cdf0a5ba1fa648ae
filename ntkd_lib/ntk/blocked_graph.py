"""The graph of a kernel in blocks, a task for each pair of chunks, and its name: what it is computed from."""

import hashlib
from collections.abc import Iterator
from itertools import product

import numpy as np
import torch
from jaxtyping import Shaped
from torch import Tensor, nn

from ntkd_lib.lab import LIBRARY, digest_json, source_digest

Samples = Shaped[np.ndarray, "_ ..."]

_PLAIN = (bool, int, float, str, tuple, type(None))
_ROWS = 1024


def kernel_graph(
    name: str, task: tuple, left: list[Samples], right: list[Samples] | None, leading: tuple[int, ...] = ()
) -> Iterator[tuple[tuple, object]]:
    """Build the task graph of a kernel.

    Each chunk of samples is one node, so that it travels once. Of an own kernel only blocks on and above the
    diagonal are computed, those below are their transposes.
    """
    for side, chunks in (("x1", left), ("x2", right or [])):
        yield from (((f"{side}-{name}", i), chunk) for i, chunk in enumerate(chunks))
    for i, j in product(range(len(left)), range(len(left if right is None else right))):
        place = (name, *leading, i, j)
        if right is not None:
            yield place, (*task, (f"x1-{name}", i), (f"x2-{name}", j))
        elif i == j:
            yield place, (*task, (f"x1-{name}", i))
        elif i < j:
            yield place, (*task, (f"x1-{name}", i), (f"x1-{name}", j))
        else:
            yield place, (mirror, (name, *leading, j, i))


def mirror(block: Shaped[np.ndarray, "..."]) -> Shaped[np.ndarray, "..."]:
    """Transpose a block to the other side of the diagonal."""
    return np.swapaxes(block, -1, -2)


def chunks_of(samples: Samples, side: int) -> list[Samples]:
    """Cut samples into chunks."""
    return [samples[i : i + side] for i in range(0, len(samples), side)]


def model_digest(model: nn.Module) -> str:
    """Hash a network: types and plain settings of all layers, parameters and buffers, the library's code.

    The code of layers that are defined outside of the library does not count.
    """
    layers = [(name, *_described(layer)) for name, layer in model.named_modules()]
    shared: dict[int, str] = {}
    values = [
        (name, shared.setdefault(id(value), name), value.requires_grad, *_content(value))
        for name, value in (*model.named_parameters(remove_duplicate=False), *model.named_buffers())
    ]
    modules = {type(layer).__module__ for layer in model.modules()}
    code = source_digest(sorted(name for name in modules if name.partition(".")[0] == LIBRARY))
    return digest_json([layers, values, code])


def samples_digest(samples: Shaped[np.ndarray, "n ..."]) -> str:
    """Hash samples in chunks, so that a memory-mapped file is never in memory as a whole."""
    state = hashlib.sha256(f"{samples.dtype.str} {samples.shape}".encode())
    for start in range(0, len(samples), _ROWS):
        state.update(np.ascontiguousarray(samples[start : start + _ROWS]))
    return state.hexdigest()


def kernel_digest(module: str, settings: dict[str, str | int], contents: list[str | None]) -> str:
    """Hash all that determines a kernel."""
    return digest_json([settings, contents, source_digest([module]), str(torch.__version__)])


def _described(layer: nn.Module) -> Iterator[object]:
    yield f"{type(layer).__module__}.{type(layer).__qualname__}"
    yield {name: repr(value) for name, value in vars(layer).items() if isinstance(value, _PLAIN)}


def _content(value: Tensor) -> Iterator[object]:
    flat = value.detach().cpu().contiguous().flatten()
    yield str(value.dtype)
    yield list(value.shape)
    yield hashlib.sha256(flat.view(torch.uint8).numpy()).hexdigest()
