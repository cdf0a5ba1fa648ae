"""Adapt any network to a module of one batch tensor with logits ``(n, c)``."""

import copy
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import numpy as np
import torch
from jaxtyping import Shaped
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from ntkd_lib.ntk.checks import check_batches
from ntkd_lib.ntk.functional import split_parameters, unmoved
from ntkd_lib.ntk.recording import OutputError, nodes_behind

Batch = Tensor | np.ndarray | tuple | list | Mapping
Arrays = Mapping[str, Tensor | np.ndarray]
Output = str | int | Callable[[Any], Tensor]


class FunctionNetwork(nn.Module):
    """A network made from a function of parameters and inputs."""

    def __init__(self, function: Callable, parameters: Arrays, leaves: bool) -> None:
        """Register the tensors, as leaves if need be, under numbered names, because theirs may hold dots."""
        super().__init__()
        parameters = dict(parameters)
        self.function, self.keys = function, list(parameters)
        values = {id(value): torch.as_tensor(value) for value in parameters.values()}  # the same one is tied
        chosen = any(value.requires_grad for value in values.values())
        for key, value in values.items() if leaves or not chosen else ():
            started = not chosen and (value.is_floating_point() or value.is_complex())
            values[key] = value.detach().requires_grad_(started or value.requires_grad)
        self._parameters.update({f"p{k}": values[id(v)] for k, v in enumerate(parameters.values())})

    def forward(self, *inputs: object, **named: object) -> object:
        """Call the function with the present tensors."""
        values = {key: self._parameters[f"p{number}"] for number, key in enumerate(self.keys)}
        return self.function(values, *inputs, **named)


class Logits(nn.Module):
    """A network that selects its inputs from parts, by place or name, and the logits from its outputs."""

    def __init__(self, model: nn.Module, output: Output | None, data: dict | None = None) -> None:
        """Store the network and the inputs, which are no buffers."""
        super().__init__()
        self.model, self.output, self.data = model, output, data

    def forward(self, x: Shaped[Tensor, "n ..."]) -> Shaped[Tensor, "..."]:
        """Run the network and flatten its logits to a table."""
        parts = [(key, part[x]) for key, part in self.data.items()] if self.data else [(0, x)]
        named = {key: part for key, part in parts if isinstance(key, str)}
        logits = self._pick(self.model(*(part for key, part in parts if key not in named), **named))
        if not isinstance(logits, Tensor):
            raise OutputError(f"output: picked {type(logits).__name__}, needs a tensor of logits (n, c)")
        return logits[:, None] if logits.ndim == 1 else logits.flatten(1) if logits.ndim == 3 else logits

    def _pick(self, out: Any) -> Any:
        if callable(self.output):
            return self.output(out)
        if isinstance(out, Tensor) and self.output is None:
            return out
        pairs = enumerate(out) if isinstance(out, tuple | list) else out if isinstance(out, Mapping) else {}
        choices = dict(pairs)
        attribute = self.output if self.output is not None else "logits"
        if isinstance(attribute, str) and attribute not in choices and hasattr(out, attribute):
            return getattr(out, attribute)
        tensors = [key for key, value in choices.items() if isinstance(value, Tensor)]
        if self.output is None and len(tensors) == 1:
            attribute = tensors[0]
        if attribute not in choices:
            came = f"{self.output!r} for a network that gives {type(out).__name__}"
            allowed = f"{', '.join(map(repr, choices)) or 'None'} and a function of the output"
            raise OutputError(f"output: got {came}, allowed are {allowed}")
        return choices[attribute]


def as_network(
    model: nn.Module | Callable,
    x1: Batch,
    x2: Batch | None,
    output: Output | None = None,
    parameters: Arrays | None = None,
    dtype: torch.dtype | None = None,
) -> tuple[nn.Module, Tensor, Tensor | None]:
    """Adapt a network and its batches to the form on which kernels are computed.

    Raises:
        ValueError: What is neither, and what has no values or no graph.
    """
    if dtype is not None and not (isinstance(dtype, torch.dtype) and dtype.is_floating_point):
        raise ValueError(f"dtype: got {dtype!r}, allowed are torch's types of real numbers and None")
    network = model if parameters is None else FunctionNetwork(model, parameters, dtype is not None)
    _check_module(network)
    left: list[Tensor] = []  # the weights of a network that is copied
    if dtype is not None:
        split_parameters(network)
        left = list(network.parameters())
        network = _copied(network, x1)._apply(lambda values: convert_values(values, dtype))
    first = next((p for p in network.parameters() if p.is_floating_point()), torch.empty(0))
    x1 = _batch("x1", x1, first, dtype)
    x2 = None if x2 is None else _batch("x2", x2, first, dtype)
    if isinstance(x1, Tensor) and (x2 is None or isinstance(x2, Tensor)):
        return _apart(network if output is None else Logits(network, output), left, x1), x1, x2
    if x2 is not None and _described(x2) != _described(x1):
        raise ValueError(f"x2: got {_described(x2)}, needs the structure of x1, {_described(x1)}")
    for key, part in (x2 or {}).items():
        check_batches(x1[key], part, (f"x1[{key!r}]", f"x2[{key!r}]"))
    n, m = _length("x1", x1), 0 if x2 is None else _length("x2", x2)
    x1 = x1 if x2 is None else {key: torch.cat([part, x2[key]]) for key, part in x1.items()}
    places = torch.arange(n + m, device=first.device)
    joined = _apart(Logits(network, output, x1), left, places)
    return joined, places[:n], None if x2 is None else places[n:]


def convert_values(values: Tensor, dtype: torch.dtype) -> Tensor:
    """Convert real numbers to a type, complex ones to its precision, and leave others."""
    is_real = values.is_floating_point()
    return values.to(dtype if is_real else dtype.to_complex() if values.is_complex() else values.dtype)


def _check_module(model: object) -> None:
    if not isinstance(model, nn.Module) or isinstance(model, torch.jit.ScriptModule):
        allowed = "an nn.Module written in Python, and a function with parameters={name: tensor}"
        raise ValueError(f"model: got {type(model).__name__}, allowed are {allowed}")
    for name, p in model.named_parameters():
        if is_lazy(p) or p.is_meta:
            raise ValueError(f"model: parameter {name!r} has no values ({'lazy' if is_lazy(p) else 'meta'})")
    if torch.is_inference_mode_enabled() or any(p.is_inference() for p in model.parameters()):
        raise ValueError("model: got inference mode, in which no gradients exist; use torch.no_grad()")


def _copied(model: nn.Module, x: Batch) -> nn.Module:
    try:
        return copy.deepcopy(model)
    except RuntimeError:  # weights that old hooks made with a graph; a pass without gradients makes them anew
        with torch.no_grad(), unmoved(model):
            model(*x) if isinstance(x, tuple | list) else model(**x) if isinstance(x, Mapping) else model(x)
        return copy.deepcopy(model)


def _apart(network: nn.Module, left: list[Tensor], x: Tensor) -> nn.Module:
    """Refuse a converted copy whose closures and hooks still reach the weights that were left behind."""
    if not left:
        return network
    reached: set[int] = set()
    with torch.enable_grad(), unmoved(network), suppress(Exception):  # a failure is said where it matters
        reached |= {id(getattr(n, "variable", 0)) for n in nodes_behind([network(x[:1]).grad_fn], {})}
    if any(id(p) in reached for p in left):
        came = "got a network whose closures or hooks hold weights, which a converted copy does not reach"
        raise ValueError(f"dtype: {came}; convert the network itself and leave dtype out")
    return network


def _batch(name: str, x: Batch, like: Tensor, dtype: torch.dtype | None) -> Tensor | dict:
    if not isinstance(x, Mapping | tuple | list):
        return _part(name, x, like, dtype)
    parts = x.items() if isinstance(x, Mapping) else enumerate(x)
    return {key: _part(f"{name}[{key!r}]", part, like, dtype) for key, part in parts}


def _part(name: str, x: object, like: Tensor, dtype: torch.dtype | None) -> Tensor:
    if isinstance(x, np.ndarray) and x.dtype.kind in "biuf":
        x = torch.as_tensor(x.copy() if min(x.strides, default=0) < 0 else x, device=like.device)
        x = x.to(like.dtype) if x.is_floating_point() else x
    if not isinstance(x, Tensor) or not x.ndim or x.is_meta or x.layout != torch.strided:
        what = type(x).__name__
        if isinstance(x, Tensor):
            place = " on the meta device" if x.is_meta else f" of layout {x.layout}"
            what += place if x.ndim else " without a batch axis"
        allowed = "tensors and arrays of numbers (n, ...), tuples and dictionaries of them"
        raise ValueError(f"{name}: got {what}, allowed are {allowed}")
    x = x.clone() if x.is_inference() else x
    return x if dtype is None else convert_values(x, dtype)


def _described(x: Tensor | dict) -> str:
    if isinstance(x, Tensor):
        return "one tensor"
    return f"{'dict' if isinstance(next(iter(x), 0), str) else 'tuple'} of {', '.join(map(repr, x))}"


def _length(name: str, x: dict) -> int:
    lengths = {len(part) for part in x.values()}
    if len(lengths) != 1:
        raise ValueError(f"{name}: got parts of {sorted(lengths)} samples, needs one number of samples")
    return lengths.pop()
