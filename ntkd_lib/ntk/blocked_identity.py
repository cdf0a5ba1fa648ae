"""The content key of a kernel: equal for equal networks, samples, settings and code."""

import hashlib
from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Shaped
from torch import Tensor, nn

from ntkd_lib.lab.digest import digest_json
from ntkd_lib.lab.sources import LIBRARY, source_digest

_PLAIN = (bool, int, float, str, tuple, type(None))
_ROWS = 1024


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
