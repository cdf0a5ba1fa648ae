"""A network as a function of its parameters, and errors that name the layer they come from."""

import random
import threading
import warnings
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from inspect import getmodule
from typing import Any
from unittest import mock
from weakref import WeakSet

import numpy as np
import torch
from torch import Tensor, nn
from torch.backends import mha
from torch.func import functional_call, jvp
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.checkpoint import CheckpointFunction

Parameters = dict[str, Tensor]
RAISED = (RuntimeError, TypeError, ValueError, IndexError, AttributeError, AssertionError)
REPLACED = "replaced"  # mark of autograd nodes that are replaced where derivatives are differentiated again
WRITERS: WeakSet[nn.Module] = WeakSet()  # networks that change their input in place
LONGEST = 200  # characters of another error that are quoted


class TransformError(ValueError):
    """A layer that per-sample function transforms cannot run."""


def split_parameters(
    model: nn.Module, names: Collection[str] | None = None, *, hooks: bool = False
) -> tuple[Parameters, Parameters]:
    """Split the parameters into differentiated and fixed ones.

    Raises:
        TransformError: A hook on a gradient, unless allowed: a copy, or values in its place, have none.
    """
    own = dict(model.named_parameters())
    moving = {name: p for name, p in own.items() if p.requires_grad and (names is None or name in names)}
    for name in (name for name, p in moving.items() if p._backward_hooks and not hooks):
        raise TransformError(f"parameter {name!r}: a hook on its gradient works in loops alone, on no copy")
    everything = {**own, **dict(model.named_buffers())}
    return moving, {name: value for name, value in everything.items() if name not in moving}


def readable(model: nn.Module, inputs: Tensor) -> Tensor:
    """Return inputs that a network may change in place: a copy, if its plan has shown that it does."""
    return inputs.clone() if model in WRITERS else inputs


def call_with(
    model: nn.Module, parameters: Parameters | tuple[Parameters, ...], inputs: tuple[Tensor, ...]
) -> Tensor:
    """Run a network with other parameters and buffers without changing it.

    ``torch.func.functional_call`` alone leaves the other parameters in a module that has two names, and the
    weights that an old hook makes of them in its attributes.
    """
    parts = [part for layer in model.modules() for part in (vars(layer), layer._parameters, layer._buffers)]
    own = [(part, dict(part)) for part in parts]
    try:
        return functional_call(model, parameters, tuple(readable(model, x) for x in inputs))
    finally:
        for part, before in own:
            part.update(before)


def tangent(function: Callable[[Parameters], Tensor], point: Parameters, direction: Parameters) -> Tensor:
    """Differentiate a function along a direction, by forward mode."""
    with warnings.catch_warnings():  # torch's own rules for forward mode are still written in TorchScript
        words = "`torch.jit.script` is deprecated"
        warnings.filterwarnings("ignore", message=words, category=DeprecationWarning)
        return jvp(function, (point,), (direction,))[1]


def plain_operations() -> AbstractContextManager[None]:
    """Compute by operations that can be differentiated twice, forwards and in batches, to the same values.

    Attention by matrix products, its three projections apart, since one of all is passed back with copies;
    PReLU by a choice, because the rule of ``vmap`` for ``torch.prelu`` is wrong, and normalised weights by a
    quotient, because the second derivative of torch's own is; what a reentrant checkpoint wraps at once;
    dense layers with a view of `observed_linear`; normalisations as `_normalisation` says.
    """
    return _OPERATIONS.held()


class _SharedOperations:
    def __init__(self) -> None:
        self.lock, self.users, self.stack = threading.Lock(), 0, ExitStack()

    @contextmanager
    def held(self) -> Iterator[None]:
        with self.lock:
            if not self.users:
                self._switch()
            self.users += 1
        try:
            yield
        finally:
            with self.lock:
                self.users -= 1
                if not self.users:
                    self.stack.close()

    def _switch(self) -> None:
        self.stack.callback(mha.set_fastpath_enabled, mha.get_fastpath_enabled())
        mha.set_fastpath_enabled(False)
        self.stack.enter_context(sdpa_kernel(SDPBackend.MATH))
        for owner, name, function in _REPLACED:
            self.stack.enter_context(mock.patch.object(owner, name, function, create=True))
        self.stack.enter_context(warnings.catch_warnings())
        warnings.filterwarnings("ignore", message="There is a performance drop")  # of vmap, if it loops


class _ThreadState(threading.local):
    note: Callable | None = None  # called with every dense layer
    twice: bool = False  # whether derivatives by function transforms may be differentiated again


@contextmanager
def observed_linear(note: Callable[[Tensor, Tensor, Tensor | None, Tensor], None]) -> Iterator[None]:
    """Call a function with the input, weight, bias and output of each dense layer that this thread computes.

    Works within `plain_operations` only.
    """
    before, _STATE.note = _STATE.note, note
    try:
        yield
    finally:
        _STATE.note = before


def _linear(*args: Tensor | None, **named: Tensor | None) -> Tensor:
    output = _LINEAR(*args, **named)
    if _STATE.note is not None:
        values = dict(zip(("input", "weight", "bias"), args, strict=False), **named)
        _STATE.note(values["input"], values["weight"], values.get("bias"), output)
    return output


def _normalisation(plain: Callable, names: str, *axes: int) -> Callable:
    """Write a normalisation in operations that can be differentiated twice, and use it where that happens.

    In second derivatives by transforms torch counts its saved mean and variance as constants (its issues
    196699 and 196700). Averaged are some axes, and those of a layer's shape or of an image. Elsewhere the
    node is marked, which tells it from those of names that are not replaced.
    """
    order = names.split()

    def call(*args: Any, **named: Any) -> Tensor:
        values = dict(zip(order, args, strict=False), **named)
        fixed = values.get("running_mean") is not None
        if fixed or not _STATE.twice:
            output = plain(*args, **named)
            if _STATE.note is not None and not fixed and (node := output.grad_fn) is not None:
                node = node if "Norm" in node.name() else node.next_functions[0][0] or node  # a view of it
                node.metadata[REPLACED] = True
            return output
        inputs, shape = values["input"], values.get("normalized_shape")
        averaged = (*axes, *(range(2, inputs.ndim) if shape is None else range(-len(shape), 0)))
        exact = inputs.to(torch.promote_types(inputs.dtype, torch.float32))
        variance, mean = torch.var_mean(exact, averaged, correction=0, keepdim=True)
        exact = (exact - mean) * (variance + values.get("eps", 1e-5)).rsqrt()
        for name, operation in (("weight", torch.mul), ("bias", torch.add)):
            if values.get(name) is not None:
                exact = operation(exact, values[name].view(shape or (-1, *[1] * (inputs.ndim - 2))))
        return exact.to(inputs.dtype)

    return call


def _batch_norm(
    input: Tensor,  # noqa: A002 - torch's name, as of all
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Scale and shift each channel if the statistics are fixed; torch passes that back in many steps."""
    if training or running_mean is None or running_var is None:
        return _BATCH_NORM(input, running_mean, running_var, weight, bias, training, momentum, eps)
    scale = (running_var + eps).rsqrt() if weight is None else weight * (running_var + eps).rsqrt()
    shift = -running_mean * scale if bias is None else bias - running_mean * scale
    shape = (-1, *[1] * (input.ndim - 2))
    return (input * scale.view(shape) + shift.view(shape)).to(input.dtype)


def _projections(q: Tensor, k: Tensor, v: Tensor, *weights: Tensor | None) -> tuple[Tensor, ...]:
    return _PACKED(q, k.view_as(k), v.view_as(v), *weights)  # which takes equal inputs together


def _prelu(input: Tensor, weight: Tensor) -> Tensor:  # noqa: A002
    slope = weight.view(-1, *[1] * (input.ndim - 2)) if input.ndim > 1 else weight
    return torch.where(input > 0, input, slope * input)


def _weight_norm(direction: Tensor, length: Tensor, dim: int = 0) -> Tensor:
    return direction * (length / torch.norm_except_dim(direction, 2, dim))


def _run(function: Callable, _: bool, *arguments: object) -> object:
    return function(*arguments)


_OPERATIONS, _STATE = _SharedOperations(), _ThreadState()
_LINEAR, _PACKED = nn.functional.linear, getattr(nn.functional, "_in_projection_packed", None)
_BATCH_NORM = _normalisation(nn.functional.batch_norm, "input running_mean _ weight bias _ _ eps", 0)
_REPLACED = (
    (CheckpointFunction, "apply", _run),
    (nn.functional, "batch_norm", _batch_norm),
    (nn.functional, "linear", _linear),
    (nn.functional, "prelu", _prelu),
    (nn.functional, "_in_projection_packed", _projections),
    (torch, "_weight_norm", _weight_norm),
    (torch, "instance_norm", _normalisation(torch.instance_norm, "input weight bias running_mean _ _ _ eps")),
    (torch, "layer_norm", _normalisation(torch.layer_norm, "input normalized_shape weight bias eps")),
    (getmodule(nn.utils.weight_norm), "_weight_norm", _weight_norm),
)


@contextmanager
def unmoved(model: nn.Module) -> Iterator[None]:
    """Restore random states and buffers after a forward pass, and refuse a network that changes them.

    Raises:
        ValueError: A forward pass that draws random numbers, or changes a buffer of a layer in training mode.
    """
    states = _random_states(model)
    buffers = [
        (name, layer, key, value, value._version, value.clone())
        for name, layer in model.named_modules()
        for key, value in layer.named_buffers(recurse=False)
    ]
    try:
        yield
    finally:
        drawn = any(not torch.equal(get(), state) for get, _, state in states)
        for _, put, state in states if drawn else ():
            put(state)
        changed = [b for b in buffers if b[1]._buffers[b[2]] is not b[3] or b[3]._version != b[4]]
        for _, layer, key, value, _, saved in changed:
            layer._buffers[key] = value.copy_(saved)
    if drawn:
        raise ValueError("model: its forward pass draws random numbers, no kernel exists; call model.eval()")
    for name, key in ((name, key) for name, layer, key, *_ in changed if layer.training):
        raise ValueError(f"layer {name!r}: its forward pass changes buffer {key!r}; call model.eval()")


@contextmanager
def drawing_nowhere(model: nn.Module, sample: Tensor) -> Iterator[None]:
    """Refuse a network whose forward pass draws from the global generators of Python or NumPy.

    Their states are no proof, because other threads and type checkers move them too: where they have moved,
    the sample runs once more while this thread's calls are noted.

    Raises:
        ValueError: A call of one of their functions.
    """
    before = random.getstate(), _NUMPY.get_state()
    yield
    after = _NUMPY.get_state()
    if random.getstate() == before[0] and after[2] == before[1][2] and (after[1] == before[1][1]).all():
        return
    calls: list[Callable] = []
    with _PATCHED, ExitStack() as stack:
        for module in (random, np.random):
            for name in filter(str.islower, set(module.__all__) - QUIET):
                noted = _noted(getattr(module, name), calls)
                stack.enter_context(mock.patch.object(module, name, noted))
        with torch.enable_grad(), unmoved(model):
            model(sample.detach())
    if calls:
        random.setstate(before[0])
        _NUMPY.set_state(before[1])
        raise ValueError("model: its forward pass draws random numbers, no kernel exists; call model.eval()")


def _noted(plain: Callable, calls: list[Callable]) -> Callable:
    thread = threading.get_ident()

    def call(*arguments: object, **named: object) -> object:
        if threading.get_ident() == thread:
            calls.append(plain)
        return plain(*arguments, **named)

    return call


_PATCHED = threading.Lock()
_NUMPY = np.random.mtrand._rand  # the global generator
QUIET = {"default_rng", "get_state", "getrandbits", "getstate", "seed", "set_state", "setstate"}


def _random_states(model: nn.Module) -> list[tuple[Callable, Callable, Tensor]]:
    parameters = model.parameters() if torch.cuda.is_initialized() else ()
    devices = {p.device for p in parameters if p.device.type == "cuda"}
    cuda = torch.cuda
    sources = [(partial(cuda.get_rng_state, d), partial(cuda.set_rng_state, device=d)) for d in devices]
    return [(get, put, get()) for get, put in [(torch.get_rng_state, torch.set_rng_state), *sources]]


def first_line(error: Exception) -> str:
    """Shorten the message of an error to the first sentence of its first line."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].split(". ")[0][:LONGEST]


@contextmanager
def located(model: nn.Module) -> Iterator[None]:
    """Convert an error of a function transform to one line that names the layer in which it arose.

    Raises:
        TransformError: A layer that per-sample function transforms cannot run, such as one that branches on
            values or changes them in place.
    """
    inside: list[str] = []
    handles, before = [], _STATE.twice

    def leave(*_: object) -> None:
        inside.pop()

    for name, layer in model.named_modules():
        handles.append(layer.register_forward_pre_hook(lambda *_, name=name: inside.append(name)))
        handles.append(layer.register_forward_hook(leave))
    try:
        with plain_operations(), unmoved(model):
            _STATE.twice = torch.is_grad_enabled()
            yield
    except RAISED as error:
        if isinstance(error, ValueError) and not inside:
            raise
        place = f"layer {inside[-1]!r}: " if inside else "model: "
        kind = type(model.get_submodule(inside[-1] if inside else "")).__name__
        raise TransformError(f"{place}{kind} cannot run on single samples: {first_line(error)}") from error
    finally:
        _STATE.twice = before
        for handle in handles:
            handle.remove()
