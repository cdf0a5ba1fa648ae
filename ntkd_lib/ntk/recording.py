"""Record every call of a trainable layer during one forward pass."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, Node, get_gradient_edge

from ntkd_lib.ntk.functional import RAISED, first_line, plain_operations, unmoved

LayerTest = Callable[[nn.Module], bool]


class OutputError(ValueError):
    """A network whose output is not a table of logits."""


@dataclass(frozen=True, eq=False)
class LayerCall:
    """One call of a layer in a forward pass.

    Attributes:
        name: Name of the layer in its network.
        inputs: Its input, ``(n, ...)``.
        shape: Shape of its output, ``(n, ...)``.
        edge: Where gradients with respect to its output arrive, whatever is done to that output in place.
        start: Node that computed the input; None for an input of the network.
        version: Version counter of ``inputs`` at that time, so that a later change in place is noticed.
    """

    name: str
    layer: nn.Module
    inputs: Tensor
    shape: tuple[int, ...]
    edge: GradientEdge
    start: Node | None
    version: int

    def parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """List the trainable parameters of the layer itself."""
        yield from ((k, p) for k, p in self.layer.named_parameters(recurse=False) if p.requires_grad)


@dataclass
class ForwardRecord:
    """The record of a forward pass.

    Attributes:
        logits: Output of the network, ``(n, c)``.
        uses: Calls of layers with trainable parameters, in the order of execution.
    """

    logits: Tensor = field(default_factory=lambda: torch.empty(0))
    uses: list[LayerCall] = field(default_factory=list)

    def unrecorded(self, model: nn.Module) -> set[int]:
        """Find the parameters that reach the logits by paths outside the recorded calls.

        The autograd graph is walked from the logits, from the output of each use straight to its input: what
        is met on the way is read behind the back of its layer. Within a use exactly the layer's own
        parameters may be met.
        """
        trainable = {id(p) for p in model.parameters() if p.requires_grad}
        leaves = _parameters_behind([self.logits.grad_fn], {u.edge.node: u.start for u in self.uses})
        for use in self.uses:
            own = {id(p) for _, p in use.parameters()}
            inside = trainable & _parameters_behind(
                [node for node, _ in use.edge.node.next_functions], {use.start: None}
            )
            leaves |= own | inside if inside != own else set()
        return trainable & leaves


def record(model: nn.Module, inputs: Tensor, is_recorded: LayerTest) -> ForwardRecord:
    """Run a network forwards and record the calls of its layers.

    Args:
        model: Network with outputs ``(n, c)``.

    Returns:
        The recording, with the autograd graph of the logits.

    Raises:
        OutputError: An output that is not ``(n, c)``.
        ValueError: A forward pass that fails, is random or changes a buffer.
    """
    recording = ForwardRecord()
    with _hooks(model, is_recorded, recording), torch.enable_grad(), plain_operations(), unmoved(model):
        try:
            recording.logits = model(inputs if inputs.requires_grad else inputs.detach())
        except OutputError:
            raise
        except RAISED as error:
            shape = tuple(inputs.shape)
            raise ValueError(
                f"model: cannot run on a batch of shape {shape}, samples first: {first_line(error)}"
            ) from error
    if not isinstance(recording.logits, Tensor) or recording.logits.is_complex():
        kind = (
            recording.logits.dtype
            if isinstance(recording.logits, Tensor)
            else type(recording.logits).__name__
        )
        raise OutputError(f"model: got an output of type {kind}, needs real logits (n, c)")
    shape = tuple(recording.logits.shape)
    if len(shape) != 2 or shape[0] != len(inputs):
        raise OutputError(
            f"model: got an output of shape {shape} for {len(inputs)} samples, needs logits (n, c)"
        )
    return recording


@contextmanager
def _hooks(model: nn.Module, is_recorded: LayerTest, recording: ForwardRecord) -> Iterator[None]:
    layers = [(n, layer) for n, layer in model.named_modules() if is_recorded(layer) and _trains(layer)]

    def hook(name: str, layer: nn.Module) -> torch.utils.hooks.RemovableHandle:
        def note(_: nn.Module, args: tuple, named: dict, output: Tensor) -> None:
            inputs = args[0] if args else next(iter(named.values()))
            if output.requires_grad:
                shape, edge = tuple(output.shape), get_gradient_edge(output)
                recording.uses.append(
                    LayerCall(name, layer, inputs, shape, edge, inputs.grad_fn, inputs._version)
                )

        return layer.register_forward_hook(note, prepend=True, with_kwargs=True)

    handles = [hook(name, layer) for name, layer in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _trains(layer: nn.Module) -> bool:
    return any(p.requires_grad for p in layer.parameters(recurse=False))


def _parameters_behind(roots: list[Node | None], doors: dict[Node | None, Node | None]) -> set[int]:
    """Walk a graph, skipping from each door to the node behind it, and collect leaves by identity."""
    leaves: set[int] = set()
    waiting, seen = list(roots), set(roots)
    while waiting:
        node = waiting.pop()
        if node is None:
            continue
        if hasattr(node, "variable"):
            leaves.add(id(node.variable))
        steps = [doors[node]] if node in doors else [step for step, _ in node.next_functions]
        waiting += [step for step in steps if step not in seen]
        seen.update(steps)
    return leaves
