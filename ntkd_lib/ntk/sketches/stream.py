"""Sketched features of a stream of samples, one chunk in memory; of the trace kernel; and their error."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn

from ntkd_lib.ntk.checks import check_model
from ntkd_lib.ntk.contraction import looped_jacobian
from ntkd_lib.ntk.empirical import empirical_ntk, find_fault, warn_slow
from ntkd_lib.ntk.kinds import Kind, contract, finish
from ntkd_lib.ntk.layers.outer import OuterProducts
from ntkd_lib.ntk.layout import Plan, UnsettledError, make_plan, two_samples
from ntkd_lib.ntk.probe import check_results
from ntkd_lib.ntk.sketches.hashing import key_of, signs
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
    carry no gradients. Those of two calls have products only if both took the same way, which warnings tell:
    where layers are chosen by sample, hand over all samples at once.

    Raises:
        ValueError: An empty chunk, no samples, a batch that is no tensor, a layer that mixes samples.
    """
    if isinstance(x, Tensor):
        return _of_all(model, x, sketch, chunk, probe, None)
    chunks = list(sketched_batches(model, x, sketch, chunk, probe=probe))
    if not chunks:
        raise ValueError("x: got no batch, needs at least one sample")
    return torch.cat(chunks)


def _of_all(model: nn.Module, x: Tensor, sketch: Sketch, chunk: int, probe: bool, seed: int | None) -> Tensor:
    """Collect all features, of joined classes if a seed is there; by the loop alone if a plan fails."""

    def collect(parts: Iterator[Tensor]) -> Tensor:
        features, end = None, 0
        for part in parts if seed is None else (join_classes(part, seed) for part in parts):
            features = part.new_empty(len(x), *part.shape[1:]) if features is None else features
            features[end : end + len(part)] = part
            end += len(part)
        return features

    try:
        return collect(sketched_batches(model, x, sketch, chunk, probe=probe))
    except UnsettledError as error:
        return collect(_stream(model, _chunks(x, chunk), sketch, False, error))


def sketched_batches(
    model: nn.Module, x: Tensor | Iterable[Tensor], sketch: Sketch, chunk: int = 64, *, probe: bool = True
) -> Iterator[Float[Tensor, "b c k"]]:
    """Yield the features chunk by chunk, to be stored elsewhere.

    Raises:
        ValueError: An empty chunk, no samples, a batch that is no tensor, a layer that mixes samples.
        UnsettledError: A network that uses its layers otherwise in a later chunk.
    """
    if chunk < 1:
        raise ValueError(f"chunk: got {chunk}, needs at least 1 sample")
    if isinstance(x, Tensor) and not len(x):
        raise ValueError("x: got an empty batch, needs at least one sample")
    check_model(model)
    return _stream(model, _chunks(x, chunk), sketch, probe)


def _stream(
    model: nn.Module, chunks: Iterator[Tensor], sketch: Sketch, probe: bool, error: ValueError | None = None
) -> Iterator[Tensor]:
    plan, first = None, 0
    for part in chunks:
        if plan is None:
            error = find_fault(model, part) if probe else error
            plan = make_plan(model, two_samples(part))
            warn_whole(() if error else plan.left_out)
            if error:
                warn_slow(error)
        features = _features(model, part, sketch, plan, loops=error is not None)
        check_results(model, features, (part, 0, "", first))
        first += len(part)
        yield features


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
    left_out = visit_parameters(model, inputs, "full", plan, lambda t: shares.append(_share(t, sketch)))
    if left_out:
        shares.append(sketch.whole(", ".join(left_out), whole_jacobian(model, inputs, plan)))
    return sum(shares)


def _share(trace: ParameterTrace, sketch: Sketch) -> Tensor:
    name = trace.name()
    parts = trace.outer()
    if parts is not None:
        return sketch.outer(name, parts, trace.group.bias is not None)
    lookup = trace.lookup()
    return sketch.whole(name, trace.gradients()) if lookup is None else sketch.lookup(name, *lookup)


def join_classes(features: Float[Tensor, "n c k"], seed: int = 0) -> Float[Tensor, "n k"]:
    """Join the features of all classes: ``psi = sum_c s_c o phi_c``.

    ``E psi . psi' = sum_c phi_c . phi_c'``. The signs ``s_c`` are independent, so products of different
    classes have mean zero. The joined features take a ``c``-th of the room, and an entry's variance is that
    of one sketch of the gradients of all classes put end to end: about ``theta(x, x) theta(x', x') / k``.
    """
    drawn = signs(key_of(seed, "classes"), tuple(features.shape[1:]))
    return (features * drawn.to(features)).sum(1)


@torch.no_grad()
def trace_features(
    model: nn.Module,
    inputs: Float[Tensor, "n ..."],
    sketch: Sketch,
    seed: int = 0,
    chunk: int = 32,
    *,
    probe: bool = True,
) -> Float[Tensor, "n k"]:
    """Sketch the tangent features of images once, for the trace kernel of any batch of them.

    Args:
        sketch: Sketch of ``k`` features per class.
        seed: Seed by which classes are joined.
        probe: As for `sketched_features`.
    """
    return _of_all(model, inputs, sketch, chunk, probe, seed)


@dataclass(frozen=True)
class SketchError:
    """Errors of ``phi phi'`` on a random subset of samples, free of the kernel's unit."""

    frobenius: float  # ``|phi phi' - Theta|_F / |Theta|_F``
    largest: float  # largest error of an entry over the largest entry of ``Theta``
    samples: int


@torch.no_grad()
def sketch_error(
    model: nn.Module,
    x: Shaped[Tensor, "n ..."],
    features: Float[Tensor, "m c k"],
    *,
    subset: int = 64,
    seed: int = 0,
    kind: Kind = "full",
) -> SketchError:
    """Measure features against the exact kernel of a random subset of their samples.

    Args:
        subset: Samples to draw, or all if there are fewer.
        kind: Kind of kernel that the features are for.

    Raises:
        ValueError: Features of another number of samples, or an empty subset.
    """
    if len(features) != len(x):
        raise ValueError(f"features: got {len(features)} rows for {len(x)} samples, needs one a sample")
    if subset < 1:
        raise ValueError(f"subset: got {subset}, needs at least 1 sample")
    rows = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))[:subset].to(x.device)
    chosen = features[rows.to(features.device)]
    exact = empirical_ntk(model, x[rows], kind=kind, tile="auto")
    rest = finish(contract(chosen, chosen, kind), kind).to(exact) - exact
    errors = [(size(rest) / size(exact)).item() for size in (torch.norm, lambda values: values.abs().max())]
    return SketchError(*errors, len(rows))
