"""The graph of a kernel in blocks, a task for each pair of chunks, and its name: what it is computed from."""

import hashlib
import inspect
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import suppress
from itertools import product
from types import CodeType

import numpy as np
import torch
from jaxtyping import Shaped
from torch import Tensor, nn

from ntkd_lib.imports import extra
from ntkd_lib.lab import LIBRARY, digest_json, source_digest

with extra("cluster"):
    import cloudpickle

Samples = Shaped[np.ndarray, "_ ..."]

_PLAIN, _NESTED = (bool, int, float, str, type(None)), (list, tuple, dict, OrderedDict)
_BASE = vars(nn.Module()).keys() - {"training"}
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
    """Hash a network: layers with settings, hooks and code, parameters and buffers, and the library's code.

    Functions and other objects count by what pickle writes of them: by name if a module holds them, else by
    value. Functions that the code of a layer outside of the library calls by name do not count.
    """
    layers = [(name, *_described(layer)) for name, layer in model.named_modules(remove_duplicate=False)]
    shared: dict[int, str] = {}
    parts = (*model.named_parameters(remove_duplicate=False), *model.named_buffers(remove_duplicate=False))
    values = [
        (name, shared.setdefault(id(value), name), value.requires_grad, *_content(value))
        for name, value in parts
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
    yield [(f"{kind.__module__}.{kind.__qualname__}", *_code_of(kind)) for kind in type(layer).__mro__]
    state = layer.__getstate__()
    state = state if isinstance(state, dict) else {"": state}
    yield {name: _fact(value) for name, value in state.items() if name not in _BASE}
    names = [name for name in sorted(_BASE) if "_hooks" in name and "state_dict" not in name]
    hooks = {name: state.get(name) or {} for name in names}
    numbers = sorted({number for each in hooks.values() for number in each})
    yield [(name, numbers.index(k), _fact(hook)) for name in names for k, hook in hooks[name].items()]


def _code_of(kind: type) -> Iterator[object]:
    """Describe the functions and plain values of a class outside of the library and PyTorch."""
    if kind.__module__.partition(".")[0] in (LIBRARY, "torch", "builtins"):
        return
    for name, value in sorted(vars(kind).items()):
        function = inspect.unwrap(getattr(value, "fget", None) or getattr(value, "__func__", value))
        if inspect.isfunction(function):
            held = inspect.getclosurevars(function).nonlocals.values()
            yield name, _instructions(function.__code__), _fact(function.__defaults__)
            yield from (_fact(each) for each in held if not inspect.isclass(each))
        elif type(value) in (*_PLAIN, *_NESTED) and not name.startswith("__"):
            yield name, _fact(value)


def _instructions(code: CodeType) -> list[object]:
    sets = (sorted(map(repr, c)) if isinstance(c, frozenset) else c for c in code.co_consts)
    constants = [_instructions(c) if isinstance(c, CodeType) else repr(c) for c in sets]
    return [code.co_code.hex(), code.co_names, constants]


def _fact(value: object) -> object:
    """Describe a value by its content."""
    if type(value) in _PLAIN:
        return repr(value)
    if type(value) in _NESTED:
        return [type(value).__name__, *map(_fact, value.items() if isinstance(value, dict) else value)]
    if isinstance(value, Tensor):
        with suppress(RuntimeError):  # of layouts that NumPy does not know
            return [type(value).__name__, value.requires_grad, *_content(value)]
    return hashlib.sha256(cloudpickle.dumps(value)).hexdigest()


def _content(value: Tensor) -> Iterator[object]:
    flat = value.detach().cpu().contiguous().flatten()
    yield str(value.dtype)
    yield list(value.shape)
    yield hashlib.sha256(flat.view(torch.uint8).numpy()).hexdigest()
    yield _fact(list((value._backward_hooks or {}).values()))
