"""A network as a function of its parameters, and errors that name the layer they come from."""

import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from torch import Tensor, nn
from torch.backends import mha
from torch.func import jvp
from torch.nn.attention import SDPBackend, sdpa_kernel

Parameters = dict[str, Tensor]


def split_parameters(model: nn.Module, names: Iterable[str] | None = None) -> tuple[Parameters, Parameters]:
    """Part what is differentiated from what stays fixed.

    Args:
        model: Network.
        names: Parameters to differentiate, by name; None for all trainable ones.

    Returns:
        Parameters to differentiate, and all other parameters and buffers.
    """
    chosen = None if names is None else set(names)
    moving = {
        name: p
        for name, p in model.named_parameters()
        if p.requires_grad and (chosen is None or name in chosen)
    }
    everything = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    return moving, {name: value for name, value in everything.items() if name not in moving}


def tangent(function: Callable[[Parameters], Tensor], point: Parameters, direction: Parameters) -> Tensor:
    """Differentiate a function along a direction, by forward mode.

    Args:
        function: Function of the parameters.
        point: Where.
        direction: Along what.

    Returns:
        Directional derivative.
    """
    with warnings.catch_warnings():  # torch's own rules for forward mode are still written in TorchScript
        warnings.filterwarnings(
            "ignore", message="`torch.jit.script` is deprecated", category=DeprecationWarning
        )
        return jvp(function, (point,), (direction,))[1]


@contextmanager
def plain_attention() -> Iterator[None]:
    """Compute attention by plain matrix products, which can be differentiated twice, forwards and in batches.

    Yields:
        Nothing.
    """
    before = mha.get_fastpath_enabled()
    mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        mha.set_fastpath_enabled(before)


@contextmanager
def located(model: nn.Module) -> Iterator[None]:
    """Turn an error of a function transform into one line that names the layer in which it arose.

    Args:
        model: Network that is run inside.

    Yields:
        Nothing.

    Raises:
        ValueError: A layer that per-sample function transforms cannot run, such as one that branches on
            values or changes them in place.
        RuntimeError: An error that arose outside of all layers.
    """
    inside: list[str] = []
    handles = []

    def leave(*_: object) -> None:
        inside.pop()

    for name, layer in model.named_modules():
        handles.append(layer.register_forward_pre_hook(lambda *_, name=name: inside.append(name)))
        handles.append(layer.register_forward_hook(leave))
    try:
        with plain_attention():
            yield
    except RuntimeError as error:
        if not inside:
            raise
        reason = str(error).strip().splitlines()[0]
        kind = type(model.get_submodule(inside[-1])).__name__
        raise ValueError(f"layer {inside[-1]!r}: {kind} cannot run on single samples: {reason}") from error
    finally:
        for handle in handles:
            handle.remove()
