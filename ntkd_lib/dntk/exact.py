"""Exact per-class tangent kernels of a chain of modules, part by part and in bounded memory.

The tangent kernel is a sum over parameters. For the parameters of one module of a chain, everything before it
is run once, and its per-sample gradients need the chain from there on alone. They are stored as outer
products or in full, whichever is smaller, for some classes at a time, and multiplied slice by slice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from ntkd_lib.dntk.ledger import Stopwatch
from ntkd_lib.ntk.checks import check_model
from ntkd_lib.ntk.factors import Gradients, gather_factors, tensors_of
from ntkd_lib.ntk.layers.outer import OuterProducts
from ntkd_lib.ntk.layout import make_plan, two_samples
from ntkd_lib.ntk.traces import ParameterTrace, visit_parameters
from ntkd_lib.ranges import check_number

MEMORY = 5 * 2**28  # bytes of gradients that are held at once, more only if a single class needs more
# Images per backward pass (one thread leaves oneDNN below 16), rows and weights of one matrix product.
BATCH, TILE, SLICE = 16, 250, 2**14


class SomeLogits(nn.Module):
    """Some logits of a network, whose per-class tangent kernels are those of these classes."""

    def __init__(self, net: nn.Module, classes: slice) -> None:
        super().__init__()
        self.net, self.classes = net, classes

    def forward(self, images: Tensor) -> Tensor:
        """Compute these logits."""
        return self.net(images)[:, self.classes]


@dataclass
class PartSeconds:
    """Seconds that gradients and their inner products took."""

    gradients: float = 0.0
    products: float = 0.0


@torch.no_grad()
def chain_kernels(
    chain: Sequence[nn.Module],
    images: Shaped[Tensor, "n ..."],
    columns: int | None = None,
    classes: slice = slice(None),
    *,
    parts: Sequence[int] | None = None,
    memory: int = MEMORY,
    seconds: PartSeconds | None = None,
) -> Float[Tensor, "c n m"]:
    """Compute the per-class kernels between images and the first of them.

    ``theta_c(x, x') = sum_p <d f_c(x) / d theta_p, d f_c(x') / d theta_p>`` over the parameters ``p``.

    Args:
        chain: Modules in order of execution, in evaluation mode; the last returns logits ``(n, c)``.
        columns: Number ``m`` of images in the columns; all by default.
        parts: Modules whose parameters count, by position, each once with all its uses; all by default.
        memory: Bytes of gradients that are held at once.

    Raises:
        ValueError: A module whose gradients do not follow from its layers' inputs and signals; columns or
            parts that do not exist, or no trainable parameter.
    """
    m = len(images) if columns is None else columns
    places = range(len(chain)) if parts is None else parts
    check_number("columns", m, 1, len(images), whole=True)
    if not places or {*places} - {*range(len(chain))}:
        raise ValueError(f"parts: got {[*places]}, allowed are positions from 0 to {len(chain) - 1}")
    waiting = {p for place in places for p in chain[place].parameters() if p.requires_grad}
    if not waiting:
        raise ValueError("parts: got no trainable parameter, needs at least one")
    check_model(nn.Sequential(*chain))
    stopwatches, features, total = PartSeconds() if seconds is None else seconds, images, None
    for place, part in enumerate(chain):
        if own := waiting & {*part.parameters()}:  # where they are used first, with all later uses
            tail = nn.Sequential(*chain[place:])
            with frozen({*tail.parameters()} - own):
                kernels = _part_kernels(tail, features, m, classes, memory, stopwatches)
            total = kernels if total is None else total.add_(kernels)
            waiting -= own
        features = torch.cat([part(some) for some in features.split(BATCH)]) if waiting else features
    return _mirrored(total, m)


def _part_kernels(
    tail: nn.Module, features: Tensor, m: int, classes: slice, memory: int, seconds: PartSeconds
) -> Float[Tensor, "c n m"]:
    """Compute what the trainable parameters contribute, below the diagonal of the first ``m`` rows."""
    chosen = list(range(tail(features[:1]).shape[1]))[classes]
    count = max(1, memory // (len(features) * _stored_bytes(tail, features, chosen[0])))
    total = features.new_zeros(len(chosen), len(features), m)
    stopwatch = Stopwatch(str(features.device.type))
    for start in range(0, len(chosen), count):
        some = chosen[start : start + count]
        model = SomeLogits(tail, slice(some[0], some[-1] + 1))
        with stopwatch.measure():
            factors = _collect(model, features)
        seconds.gradients += stopwatch.seconds
        with stopwatch.measure():
            for factor in factors:
                for gradients in _slices(factor):
                    _add_products(total[start : start + count], gradients)
        seconds.products += stopwatch.seconds
    return total


def _stored_bytes(tail: nn.Module, features: Tensor, one: int) -> int:
    """Compute the bytes that one sample's gradients of one logit take."""
    factors = _collect(SomeLogits(tail, slice(one, one + 1)), features[:1])
    return sum(p[0].numel() * p[0].element_size() for f in factors for p in tensors_of(f).values())


def _collect(model: nn.Module, features: Tensor) -> list[OuterProducts | Gradients]:
    """Compute the per-sample gradients of all trainable parameters, in the smaller of two forms."""
    plan = make_plan(model, two_samples(features))
    if plan.left_out:
        raise ValueError(f"chain: {', '.join(plan.left_out)} not known to the structured method")

    def keep(part: slice) -> dict[str, OuterProducts | Gradients]:
        forms: dict[str, OuterProducts | Gradients] = {}

        def visit(trace: ParameterTrace) -> None:
            forms[trace.name()] = _smaller(trace)

        visit_parameters(model, features[part], "per_class", plan, visit, batched=False)
        return forms

    return list(gather_factors(keep, len(features), BATCH).values())


def _smaller(trace: ParameterTrace) -> OuterProducts | Gradients:
    parts = trace.outer()
    if parts is None:
        return Gradients(trace.gradients())
    parts = parts.with_bias() if trace.group.bias else parts
    _, c, _, o, d = parts.signals.shape
    k = parts.inputs.shape[2]
    return parts if d * (k + c * o) < c * o * k else Gradients(parts.gradients().flatten(2))


def _slices(factor: OuterProducts | Gradients) -> Iterator[Float[Tensor, "n c p"]]:
    """Form the gradients of some weights at a time."""
    if isinstance(factor, Gradients):
        yield from factor.features.split(SLICE, 2)
        return
    width = factor.inputs.shape[1] * factor.inputs.shape[2] * factor.signals.shape[1]
    for signals in factor.signals.split(max(1, SLICE // width), 3):
        yield OuterProducts(factor.inputs, signals).gradients().flatten(2)


def _add_products(total: Float[Tensor, "c n m"], gradients: Float[Tensor, "n c p"]) -> None:
    for kernel, rows in zip(total, gradients.unbind(1), strict=True):
        for start in range(0, len(rows), TILE):
            end = min(start + TILE, len(rows))
            width = min(end, kernel.shape[1])
            kernel[start:end, :width].addmm_(rows[start:end], rows[:width].T)


def _mirrored(total: Float[Tensor, "c n m"], m: int) -> Float[Tensor, "c n m"]:
    """Copy what is below the diagonal of the first ``m`` rows to the other side."""
    square = total[:, :m].tril()
    total[:, :m] = square + square.tril(-1).mT
    return total


@contextmanager
def frozen(parameters: Iterable[nn.Parameter]) -> Iterator[None]:
    """Freeze parameters for a while."""
    with ExitStack() as stack:
        for parameter in [p for p in parameters if p.requires_grad]:
            stack.callback(parameter.requires_grad_(False).requires_grad_, True)
        yield
