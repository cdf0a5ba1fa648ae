"""Locate the rows of each sample in a layer's input, by comparing runs on one sample and on two."""

import re
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Shaped
from torch import Tensor, nn

from ntkd_lib.ntk.functional import REPLACED, WRITERS, drawing_nowhere
from ntkd_lib.ntk.layers.outer import CONVOLUTIONS, DENSE, TRANSPOSED
from ntkd_lib.ntk.layers.rows import EMBEDDINGS, NORMS, PRELU
from ntkd_lib.ntk.recording import ForwardRecord, LayerCall, nodes_behind, record

LISTED = (*CONVOLUTIONS, *TRANSPOSED, *NORMS, *EMBEDDINGS, *PRELU)
# Layers that do the same to each row of their last axis, so that samples may lie on any other one.
ROWWISE = (*DENSE, *EMBEDDINGS, nn.LayerNorm, nn.RMSNorm)
# Operations in whose second derivatives torch counts saved values as constants, or all if they are scripted.
WRONG_TWICE = "(NativeLayer|NativeBatch|CudnnBatch|MiopenBatch)Norm|DifferentiableGraph"
WRONG_FORWARD = f"Linalg(SolveEx|Slogdet|Det|HouseholderProduct)|{WRONG_TWICE}"
ROUNDINGS = {"tf32": 2**-11, "bf16": 2**-8}  # of factors of float32 products, by PyTorch's switches


class UnsettledError(ValueError):
    """A network that uses its layers differently from batch to batch."""


def is_known(layer: nn.Module) -> bool:
    """Check whether the gradients of a layer that is not dense follow from its input and output's signal.

    Exactly the listed types count and not their subclasses, whose forward pass may differ, and only with a
    weight and a bias that are real leaves; and any layer with a method ``per_sample_gradients(inputs,
    signal)`` that gives the gradients ``(n, c, *p)`` of all its own parameters by name. Where that method
    holds much else, the layer's ``passing_values`` is the number of values per sample, for ``tile="auto"``.
    """
    if hasattr(layer, "per_sample_gradients"):
        return True
    if type(layer) not in LISTED or "forward" in vars(layer):
        return False
    if isinstance(layer, nn.Embedding) and (layer.max_norm is not None or layer.scale_grad_by_freq):
        return False
    own = dict(layer.named_parameters(recurse=False))
    plain = all(p.is_leaf and p.numel() and not (p.is_complex() or p._backward_hooks) for p in own.values())
    return plain and own.keys() <= {"weight", "bias"}


@dataclass(frozen=True)
class SampleLayout:
    """Position of the samples in a layer's input and output."""

    axis: int
    rows: int  # rows of one sample on this axis
    adjacent: bool  # whether the rows of a sample lie side by side; otherwise all first rows come first

    def arrange(self, values: Shaped[Tensor, "..."], leading: int = 0) -> Shaped[Tensor, "r ..."]:
        """Move the rows of all samples to the front, grouped by sample."""
        values = values.movedim(self.axis + leading, 0)
        if self.adjacent or self.rows == 1:
            return values
        return values.unflatten(0, (self.rows, -1)).transpose(0, 1).flatten(0, 1)


@dataclass(frozen=True)
class Plan:
    """The layouts of a network's layer calls, from runs on one sample and on two.

    Attributes:
        layouts: Layout of each call; None if samples share its input or have no fixed part of it.
    """

    alone: ForwardRecord
    names: tuple[tuple[str, ...], ...]  # layers and their parameters in the order of their uses
    layouts: tuple[SampleLayout | None, ...]
    left_out: tuple[str, ...]  # names of the parameters of which whole Jacobians are needed

    def arranged(self, recording: ForwardRecord, n: int) -> dict[LayerCall, SampleLayout]:
        """Match the layer calls of another batch with the calls recorded in the plan.

        Raises:
            UnsettledError: Other layers, other numbers of rows, or parameters used outside of these layers.
        """
        uses, same = recording.uses, tuple(use.identity() for use in recording.uses) == self.names
        if not same and any(self.layouts):
            raise UnsettledError("model: the layers that it uses change from batch to batch")
        layouts = dict(zip(uses, self.layouts, strict=True)) if same else dict.fromkeys(uses)
        for use, layout in layouts.items():
            if layout is not None and use.inputs.shape[layout.axis] != n * layout.rows:
                raise UnsettledError(f"layer {use.name!r}: the rows that it is given change with the batch")
        if others := {recording.names[key] for key in _outside(recording, layouts)} - {*self.left_out}:
            raise UnsettledError(f"model: {', '.join(sorted(others))}: used by other layers in some batches")
        return {use: layout for use, layout in layouts.items() if layout}

    def half_differentiable(self, *, forward: bool = False) -> str:
        """Name an operation whose second derivatives by transforms, or by forward mode, are wrong, if any."""
        wrong = re.compile(WRONG_FORWARD if forward else WRONG_TWICE)
        for node in nodes_behind([self.alone.logits.grad_fn], {}):
            by_batch = getattr(node, "_saved_training", True)  # a norm by running statistics is right
            if wrong.match(node.name().rpartition(":")[2]) and by_batch and REPLACED not in node.metadata:
                return node.name()
        return ""


def two_samples(inputs: Tensor) -> Shaped[Tensor, "2 ..."]:
    """Select the first and the last sample of a batch, or its only one twice."""
    return inputs[[0, len(inputs) - 1]]


def make_plan(model: nn.Module, pair: Shaped[Tensor, "2 ..."]) -> Plan:
    """Run a network on two samples, alone and together, and derive the layout of each layer call.

    Raises:
        ValueError: A network whose samples mix, whose values are not finite, whose forward pass is random, or
            whose logits depend on no trainable parameter.
    """
    parts = [part.clone() for part in (pair, pair[:1], pair[1:])]
    with drawing_nowhere(model, pair[:1].clone()):
        both, alone, other = (record(model, part, is_known) for part in parts)
    if any(part._version for part in parts):
        WRITERS.add(model)
    check_samples_apart(pair, (alone, other), both)
    if both.logits.grad_fn is None:
        raise ValueError("model: its logits depend on no trainable parameter")
    names = tuple(use.identity() for use in both.uses)
    layouts: tuple[SampleLayout | None, ...] = (None,) * len(names)
    if names == tuple(use.identity() for use in alone.uses):
        layouts = tuple(_layout(a, b) for a, b in zip(alone.uses, both.uses, strict=True))
    left_out = _outside(both, dict(zip(both.uses, layouts, strict=True)))
    left_out |= alone.unrecorded() | _overlapping(both)
    named = tuple(name for key, name in both.names.items() if key in left_out)
    return Plan(alone, names, layouts, named)


def _outside(recording: ForwardRecord, layouts: dict[LayerCall, SampleLayout | None]) -> set[int]:
    """Find the parameters of calls without a layout, and those that reach the logits by other paths."""
    parts = [use.parts.values() for use, layout in layouts.items() if layout is None]
    return recording.unrecorded() | {id(part.parameter) for values in parts for part in values}


def _overlapping(recording: ForwardRecord) -> set[int]:
    """Find the parameters of which two parts share some values but not all."""
    keys = sorted({part.key for use in recording.uses for part in use.parts.values()})
    return {a[0] for a, b in pairwise(keys) if a[0] == b[0] and b[1] < a[2]}


def _layout(alone: LayerCall, both: LayerCall, place: int = 0) -> SampleLayout | None:
    """Find the axis along which two samples are twice as long as one of them, and the order of their rows."""
    one, two = alone.inputs.shape, both.inputs.shape
    axes = [k for k, (a, b) in enumerate(zip(one, two, strict=False)) if a != b]
    if len(one) != len(two) or len(axes) != 1:
        return None
    axis, rows = axes[0], one[axes[0]]
    if axis and type(alone.layer) not in ROWWISE:
        return None
    doubled = [(alone.inputs.shape, two), (alone.shape, both.shape)]
    if any(len(a) <= axis or a[axis] != rows or b[axis] != 2 * rows for a, b in doubled):
        return None
    layouts = [SampleLayout(axis, rows, adjacent) for adjacent in (True, False)]
    own = layouts[0].arrange(alone.inputs)
    parts = [each.arrange(both.inputs)[rows * place :][:rows] for each in layouts]
    gaps = [(part - own).double().norm() for part in parts]  # samples may be alike
    best = gaps.index(min(gaps))
    return layouts[best] if are_close(parts[best], own) else None


def check_samples_apart(
    inputs: Tensor, alone: tuple[ForwardRecord, ForwardRecord], both: ForwardRecord
) -> None:
    """Refuse a network whose output for one of two samples changes with the other.

    Raises:
        ValueError: With the name of the first layer at which the sample's values differ; or logits that are
            not finite.
    """
    check_finite(inputs, both)
    for place, one in enumerate(alone):
        if not are_close(one.logits[0], both.logits[place]):
            pairs = zip(one.uses, both.uses, strict=False)
            names = [a.name for a, b in pairs if a.name != b.name or _layout(a, b, place) is None]
            where = f"at or before layer {names[0]!r}" if names else "after the last layer that is trained"
            raise ValueError(f"model: the output for a sample changes with the rest of its batch, {where}")


def check_finite(inputs: Tensor, recording: ForwardRecord) -> None:
    """Refuse logits that are not finite.

    Raises:
        ValueError: Whether the inputs are finite.
    """
    if not recording.logits.isfinite().all():
        kind = "the inputs are" if not inputs.isfinite().all() else "the inputs are finite, the logits are"
        raise ValueError(f"model: {kind} not finite, so no tangent kernel exists")


def are_close(a: Shaped[Tensor, "..."], b: Shaped[Tensor, "..."]) -> bool:
    """Compare values of two forward passes, which round differently."""
    if a.shape != b.shape:
        return False
    tolerance = {torch.float64: 1e-6, torch.float32: 1e-3}.get(a.dtype, 1e-1) if a.is_floating_point() else 0
    tolerance = max(tolerance, product_rounding(b))
    return bool((a - b).double().norm() <= tolerance * b.double().norm() + 1e-30)


def product_rounding(values: Tensor) -> float:
    """Return the error of 32 roundings, if PyTorch may round the factors of float32 products; else 0."""
    all_of = torch.backends
    gpu, cpu = (all_of.cuda.matmul, all_of.cudnn.conv), (all_of.mkldnn.matmul, all_of.mkldnn.conv)
    roundings = [ROUNDINGS.get(each.fp32_precision, 0.0) for each in (gpu if values.is_cuda else cpu)]
    return 32 * max(roundings) if values.dtype == torch.float32 else 0.0
