"""Sketched features of a stream of samples: one pass, memory of one chunk."""

from collections.abc import Iterable, Iterator
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ntkd_lib.ntk.checks import check_model
from ntkd_lib.ntk.contraction import looped_jacobian
from ntkd_lib.ntk.empirical import find_fault, warn_slow
from ntkd_lib.ntk.layers.outer import OuterProducts
from ntkd_lib.ntk.layout import Plan, make_plan, two_samples
from ntkd_lib.ntk.structured import warn_whole, whole_jacobian
from ntkd_lib.ntk.traces import ParameterTrace, visit_parameters


@runtime_checkable
class Sketch(Protocol):
    """A linear map of per-sample gradients to a few numbers, applied parameter by parameter and summed."""

    size: int

    def whole(self, name: str, gradients: Float[Tensor, "n c p"]) -> Float[Tensor, "n c k"]:
        """Sketch full gradients."""

    def lookup(
        self, name: str, places: Int[Tensor, "n d"], signals: Float[Tensor, "n c e d"]
    ) -> Float[Tensor, "n c k"]:
        """Sketch gradients of a table from signals at some rows."""

    def outer(self, name: str, parts: OuterProducts, bias: bool) -> Float[Tensor, "n c k"]:
        """Sketch gradients that are sums of outer products."""


def sketched_features(
    model: nn.Module, x: Tensor | Iterable[Tensor], sketch: Sketch, chunk: int = 64, *, probe: bool = True
) -> Float[Tensor, "n c k"]:
    """Compute features whose inner products are the tangent kernel on average, ``E phi phi' = Theta``.

    `ntkd_lib.ntk.kinds.contract` makes a kernel of any kind of them. No Jacobian is kept, and the features
    carry no gradients.

    Raises:
        ValueError: An empty chunk, no samples, a batch that is no tensor, a layer that mixes samples.
    """
    parts = sketched_batches(model, x, sketch, chunk, probe=probe)
    if not isinstance(x, Tensor):
        chunks = list(parts)
        if not chunks:
            raise ValueError("x: got no batch, needs at least one sample")
        return torch.cat(chunks)
    features, end = None, 0
    for part in parts:
        features = part.new_empty(len(x), *part.shape[1:]) if features is None else features
        features[end : end + len(part)] = part
        end += len(part)
    return features


def sketched_batches(
    model: nn.Module, x: Tensor | Iterable[Tensor], sketch: Sketch, chunk: int = 64, *, probe: bool = True
) -> Iterator[Float[Tensor, "b c k"]]:
    """Yield the features chunk by chunk, to be stored elsewhere.

    Raises:
        ValueError: An empty chunk, no samples, a batch that is no tensor, a layer that mixes samples.
    """
    if chunk < 1:
        raise ValueError(f"chunk: got {chunk}, needs at least 1 sample")
    if isinstance(x, Tensor) and not len(x):
        raise ValueError("x: got an empty batch, needs at least one sample")
    check_model(model)
    return _stream(model, _chunks(x, chunk), sketch, probe)


def _stream(model: nn.Module, chunks: Iterator[Tensor], sketch: Sketch, probe: bool) -> Iterator[Tensor]:
    plan = error = None
    for part in chunks:
        if plan is None:
            error = find_fault(model, part) if probe else None
            plan = make_plan(model, two_samples(part))
            warn_whole(() if error else plan.left_out)
            if error:
                warn_slow(error)
        yield _features(model, part, sketch, plan, loops=error is not None)


def _chunks(x: Tensor | Iterable[Tensor], chunk: int) -> Iterator[Tensor]:
    for batch in (x,) if isinstance(x, Tensor) else x:
        if not isinstance(batch, Tensor):
            raise ValueError(f"x: got a batch of type {type(batch).__name__}, allowed are tensors of samples")
        yield from (part for part in batch.split(chunk) if len(part))


@torch.no_grad()
def _features(model: nn.Module, inputs: Tensor, sketch: Sketch, plan: Plan, *, loops: bool) -> Tensor:
    if loops:
        return sketch.whole("", looped_jacobian(model, inputs))
    shares: list[Tensor] = []
    left_out = visit_parameters(
        model, inputs, "full", plan, lambda trace: shares.append(_share(trace, sketch))
    )
    if left_out:
        shares.append(sketch.whole(", ".join(left_out), whole_jacobian(model, inputs, left_out)))
    return sum(shares)


def _share(trace: ParameterTrace, sketch: Sketch) -> Tensor:
    name = trace.name()
    parts = trace.outer()
    if parts is not None:
        return sketch.outer(name, parts, trace.group.bias is not None)
    lookup = trace.lookup()
    return sketch.whole(name, trace.gradients()) if lookup is None else sketch.lookup(name, *lookup)
