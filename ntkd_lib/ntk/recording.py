"""Record every call of a trainable layer during one forward pass.

Dense layers are recorded where they are computed, in calls of ``torch.nn.functional.linear``, whatever module
makes them: attention has its projections, a fused one or rows of it, without calling a layer for them.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, Node, get_gradient_edge

from ntkd_lib.ntk.functional import RAISED, first_line, observed_linear, plain_operations, readable, unmoved
from ntkd_lib.ntk.layers.outer import Dense

LayerTest = Callable[[nn.Module], bool]


class OutputError(ValueError):
    """A network whose output is not a table of logits."""


@dataclass(frozen=True)
class ParameterPart:
    """A parameter, or some of its rows."""

    name: str  # name of the parameter in its network
    parameter: Tensor
    span: tuple[int, int]  # first value and the one after the last

    @property
    def key(self) -> tuple[int, int, int]:
        """Identify the values."""
        return id(self.parameter), *self.span

    @property
    def size(self) -> int:
        """Count the values."""
        return self.span[1] - self.span[0]

    def label(self) -> str:
        """Name the part, with its span if it is not the whole parameter."""
        return self.name if self.size == self.parameter.numel() else "{}[{}:{}]".format(self.name, *self.span)


@dataclass(frozen=True, eq=False)
class LayerCall:
    """One call of a layer in a forward pass.

    Attributes:
        edge: Where gradients with respect to its output arrive, whatever is done to that output in place.
    """

    name: str  # name of the layer in its network
    layer: nn.Module | Dense
    parts: dict[str, ParameterPart]  # trainable parameters of the layer itself by attribute
    inputs: Tensor  # its input, ``(n, ...)``
    shape: tuple[int, ...]  # shape of its output, ``(n, ...)``
    edge: GradientEdge
    start: Node | None  # node that computed the input; None for an input of the network
    version: int  # version counter of ``inputs`` at that time, so that a later change in place is noticed

    def identity(self) -> tuple[str, ...]:
        """Name the layer and the parameters that it has."""
        return self.name, *(part.label() for part in self.parts.values())


@dataclass
class ForwardRecord:
    """The record of a forward pass.

    Attributes:
        names: Names of the trainable parameters by identity.
        uses: Calls of layers with trainable parameters, in the order of execution.
    """

    names: dict[int, str]
    logits: Tensor = field(default_factory=lambda: torch.empty(0))  # output of the network, ``(n, c)``
    uses: list[LayerCall] = field(default_factory=list)

    def unrecorded(self) -> set[int]:
        """Find the parameters that reach the logits by paths outside the recorded calls.

        The autograd graph is walked from the logits, from the output of each use straight to its input: what
        is met on the way is read behind the back of its layer. Within a use exactly the layer's own
        parameters may be met.
        """
        trainable = self.names.keys()
        leaves = _parameters_behind([self.logits.grad_fn], {u.edge.node: u.start for u in self.uses})
        for use in self.uses:
            own = {id(part.parameter) for part in use.parts.values()}
            roots = [node for node, _ in use.edge.node.next_functions]
            inside = trainable & _parameters_behind(roots, {use.start: None})
            leaves |= own | inside if inside != own else set()
        return trainable & leaves


def record(model: nn.Module, inputs: Tensor, is_recorded: LayerTest) -> ForwardRecord:
    """Run a network forwards and record the calls of its layers.

    Raises:
        OutputError: An output that is not ``(n, c)``.
        ValueError: A forward pass that fails, is random or changes a buffer.
    """
    recording = ForwardRecord({id(p): name for name, p in model.named_parameters() if p.requires_grad})
    with _hooks(model, is_recorded, recording), torch.enable_grad(), plain_operations(), unmoved(model):
        try:
            recording.logits = model(readable(model, inputs if inputs.requires_grad else inputs.detach()))
        except OutputError:
            raise
        except RAISED as error:
            size, why = tuple(inputs.shape), first_line(error)
            raise ValueError(f"model: cannot run on a batch of shape {size}, samples first: {why}") from error
    logits = recording.logits
    if not isinstance(logits, Tensor) or logits.is_complex():
        kind = logits.dtype if isinstance(logits, Tensor) else type(logits).__name__
        raise OutputError(f"model: got an output of type {kind}, needs real logits (n, c)")
    shape, n = tuple(logits.shape), len(inputs)
    if len(shape) != 2 or shape[0] != n:
        raise OutputError(f"model: got an output of shape {shape} for {n} samples, needs logits (n, c)")
    return recording


@contextmanager
def _hooks(model: nn.Module, is_recorded: LayerTest, recording: ForwardRecord) -> Iterator[None]:
    layers = [(name, layer) for name, layer in model.named_modules() if is_recorded(layer)]
    closed = [layer for _, layer in layers if hasattr(layer, "per_sample_gradients")]
    inside = {id(p) for layer in closed for p in layer.parameters(recurse=False)}

    def note(name: str, layer: nn.Module | Dense, parts: dict, inputs: Tensor, output: Tensor) -> None:
        if parts and output.requires_grad:
            edge, start, version = get_gradient_edge(output), inputs.grad_fn, inputs._version
            call = LayerCall(name, layer, parts, inputs, tuple(output.shape), edge, start, version)
            recording.uses.append(call)

    def note_linear(inputs: Tensor, weight: Tensor, bias: Tensor | None, output: Tensor) -> None:
        values = {key: v for key, v in (("weight", weight), ("bias", bias)) if v is not None}
        parts = {key: _part(v, recording.names) for key, v in values.items() if v.requires_grad}
        of_closed = any(part is None or id(part.parameter) in inside for part in parts.values())
        if weight.ndim == 2 and not of_closed:  # a vector of weights leaves no axis of outputs
            name = next(iter(parts.values())).name.rpartition(".")[0] if parts else ""
            note(name, Dense(weight, bias), parts, inputs, output)

    def hook(name: str, layer: nn.Module) -> torch.utils.hooks.RemovableHandle:
        def noted(_: nn.Module, args: tuple, named: dict, output: Tensor) -> None:
            all_names = layer.named_parameters(recurse=False, remove_duplicate=layer in closed)
            own = [(key, p) for key, p in all_names if p.requires_grad]
            parts = {key: ParameterPart(recording.names[id(p)], p, (0, p.numel())) for key, p in own}
            inputs = args[0] if args else named.get("input", next(iter(named.values())))
            note(name, layer, parts, inputs, output)

        return layer.register_forward_hook(noted, prepend=True, with_kwargs=True)

    handles = [hook(name, layer) for name, layer in layers]
    try:
        with observed_linear(note_linear):
            yield
    finally:
        for handle in handles:
            handle.remove()


def _part(value: Tensor, names: dict[int, str]) -> ParameterPart | None:
    """Find the trainable parameter of which a tensor is the whole or a view of neighbouring values."""
    base = value if id(value) in names else value._base
    plain = base is not None and id(base) in names and base.is_leaf and not base._backward_hooks
    if not plain or base.is_complex() or not value.numel():
        return None
    start = value.storage_offset() - base.storage_offset()
    if value is not base and not (value.is_contiguous() and base.is_contiguous()):
        return None
    return ParameterPart(names[id(base)], base, (start, start + value.numel()))


def _parameters_behind(roots: list[Node | None], doors: dict[Node | None, Node | None]) -> set[int]:
    return {id(node.variable) for node in nodes_behind(roots, doors) if hasattr(node, "variable")}


def nodes_behind(roots: list[Any], doors: dict[Any, Any]) -> Iterator[Node]:  # a script's are of other types
    """Walk a graph from some nodes, which come first, and skip from each door to the node behind it."""
    waiting, seen = list(roots), {None, *roots}
    while waiting:
        node = waiting.pop()
        if node is None:
            continue
        yield node
        steps = [doors[node]] if node in doors else dict.fromkeys(step for step, _ in node.next_functions)
        waiting += [step for step in steps if step not in seen]
        seen.update(steps)


def padding_row(table: Node) -> int | None:
    """Read the row that an embedding's node holds still, None without padding, which is saved as 2^64 - 1."""
    return table._saved_padding_idx if table._saved_padding_idx < 2**63 else None
