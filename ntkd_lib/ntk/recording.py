"""One forward pass, watched: which layer with trainable parameters was used on what, and what came of it."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, Node, get_gradient_edge

from ntkd_lib.ntk.functional import plain_attention

Known = Callable[[nn.Module], bool]


@dataclass(frozen=True, eq=False)
class Use:
    """One use of a layer in a forward pass.

    Attributes:
        name: Name of the layer in its network.
        layer: The layer.
        inputs: What it was given, ``(n, ...)``.
        shape: Shape of its output, ``(n, ...)``.
        edge: Where gradients with respect to its output arrive, whatever is done to that output in place.
        start: What made the input, None where it is given from outside.
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
        """Give the trainable parameters of the layer itself.

        Yields:
            Attribute name and parameter.
        """
        yield from ((k, p) for k, p in self.layer.named_parameters(recurse=False) if p.requires_grad)


@dataclass
class Recording:
    """A watched forward pass.

    Attributes:
        logits: Output of the network, ``(n, c)``.
        uses: Uses of layers with trainable parameters, in the order of their execution.
    """

    logits: Tensor = field(default_factory=lambda: torch.empty(0))
    uses: list[Use] = field(default_factory=list)

    def unseen(self, model: nn.Module) -> dict[str, nn.Parameter]:
        """Find the parameters that reach the logits by other ways than the recorded uses.

        The edges of the autograd graph that end in a parameter are counted, and those among them that lie
        within a recorded use: a weight that some function reads behind the back of its layer has more of the
        former.

        Args:
            model: The network.

        Returns:
            Such parameters by name.
        """
        within: Counter[int] = Counter()
        for use in self.uses:
            within += _edges_into_parameters(use.edge.node, use.start)
        reached = _edges_into_parameters(self.logits.grad_fn)
        recorded = {id(p) for use in self.uses for _, p in use.parameters()}
        named = {name: p for name, p in model.named_parameters() if p.requires_grad}
        return {
            name: p
            for name, p in named.items()
            if reached[id(p)] and (reached[id(p)] != within[id(p)] or id(p) not in recorded)
        }


def record(model: nn.Module, inputs: Tensor, known: Known) -> Recording:
    """Run a network forwards and record the uses of its layers.

    Args:
        model: Network with outputs ``(n, c)``.
        inputs: Batch of samples.
        known: Says which layers to record.

    Returns:
        The recording, with the autograd graph of the logits.

    Raises:
        ValueError: An output that is not ``(n, c)``, or an input that was changed in place after its use.
    """
    recording = Recording()
    with _hooks(model, known, recording), torch.enable_grad(), plain_attention():
        recording.logits = model(inputs)
    shape = tuple(recording.logits.shape)
    if len(shape) != 2 or shape[0] != len(inputs):
        raise ValueError(
            f"model: got an output of shape {shape} for {len(inputs)} samples, needs logits (n, c)"
        )
    for use in recording.uses:
        if use.inputs._version != use.version:
            raise ValueError(f"layer {use.name!r}: its input is changed in place after it was used")
    return recording


@contextmanager
def _hooks(model: nn.Module, known: Known, recording: Recording) -> Iterator[None]:
    layers = [(n, layer) for n, layer in model.named_modules() if known(layer) and _trains(layer)]

    def hook(name: str, layer: nn.Module) -> torch.utils.hooks.RemovableHandle:
        def note(_: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> None:
            shape, edge = tuple(output.shape), get_gradient_edge(output)
            recording.uses.append(Use(name, layer, args[0], shape, edge, args[0].grad_fn, args[0]._version))

        return layer.register_forward_hook(note)

    handles = [hook(name, layer) for name, layer in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _trains(layer: nn.Module) -> bool:
    return any(p.requires_grad for p in layer.parameters(recurse=False))


def _edges_into_parameters(root: Node, stop: Node | None = None) -> Counter[int]:
    edges: Counter[int] = Counter()
    waiting, seen = [root], {root, stop}
    while waiting:
        for node, _ in waiting.pop().next_functions:
            if node is None:
                continue
            if hasattr(node, "variable"):
                edges[id(node.variable)] += 1
            elif node not in seen:
                seen.add(node)
                waiting.append(node)
    return edges
