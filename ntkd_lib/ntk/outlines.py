"""Gradients of one sample by plain reverse mode, with large weights left as factors.

Autograd forms the gradient of a dense layer's weight as ``B' A``, from the signal ``B`` that arrives at the
operation and the input ``A`` that it has saved, and the gradient of a table from the signal and the rows
that were looked up. Inner products follow from these without writing numbers for the whole weight.
"""

from collections import defaultdict
from dataclasses import dataclass

import torch
from jaxtyping import Float, Shaped
from torch import Tensor
from torch.autograd.graph import GradientEdge, Node

from ntkd_lib.ntk.contraction import flat_gradient
from ntkd_lib.ntk.recording import nodes_behind, padding_row

LARGE = 2**18  # numbers from which a weight counts as large
SAVED = {"AddmmBackward0": "_saved_mat1", "MmBackward0": "_saved_self"}


@dataclass(frozen=True)
class Outline:
    """A gradient, or its factors.

    Attributes:
        signal: The gradient itself, or the signal at the output of the operation, ``(r, o)``.
        inputs: Input of the operation, ``(r, k)`` or looked-up rows ``(r,)``; None for a gradient itself.
    """

    signal: Shaped[Tensor, "..."]
    inputs: Shaped[Tensor, "r ..."] | None

    def product(self, other: "Outline") -> float:
        """Compute the inner product of two gradients of one parameter."""
        if self.inputs is None and other.inputs is None:
            return float(flat_gradient(self.signal) @ flat_gradient(other.signal))
        if self.inputs is None or other.inputs is None:
            a, b = (self, other) if other.inputs is None else (other, self)
            whole = b.signal.to_dense()
            rows = a.inputs @ whole.T if a.inputs.is_floating_point() else whole[a.inputs]
            return float((a.signal * rows).sum())
        if self.inputs.is_floating_point():
            gram = self.inputs @ other.inputs.T
        else:
            gram = (self.inputs[:, None] == other.inputs).to(self.signal)
        return float((gram * (self.signal @ other.signal.T)).sum())


def outlined_gradient(
    logits: Float[Tensor, " c"], direction: Float[Tensor, " c"], parameters: list[Tensor]
) -> list[Outline]:
    """Compute the gradients of one sample's logits along a direction."""
    large = [p for p in parameters if p.numel() >= LARGE and p.is_floating_point() and not p._backward_hooks]
    nodes = _operations(logits.grad_fn, {id(p) for p in large})
    targets = [GradientEdge(nodes[id(p)], 0) if id(p) in nodes else p for p in parameters]
    gradients = torch.autograd.grad(logits, targets, direction, retain_graph=True, allow_unused=True)
    return [_outline(p, g, nodes.get(id(p))) for p, g in zip(parameters, gradients, strict=True)]


def _outline(parameter: Tensor, signal: Tensor | None, node: Node | None) -> Outline:
    if signal is None or node is None:
        return Outline(torch.zeros_like(parameter) if signal is None else signal, None)
    if node.name() in SAVED:
        return Outline(signal, getattr(node, SAVED[node.name()]))
    rows = node._saved_indices.flatten()
    signal = signal.reshape(len(rows), -1)
    padding = padding_row(node)
    trained = rows != (-1 if padding is None else padding)
    return Outline(signal[trained], rows[trained])


def _operations(root: Node, weights: set[int]) -> dict[int, Node]:
    """Find the operation that alone reads each weight, such as a dense layer or a table."""
    readers: dict[Node | None, list[tuple[Node, int]]] = defaultdict(list)
    for node in nodes_behind([root] if weights else [], {}):
        for place, (step, _) in enumerate(node.next_functions):
            readers[step].append((node, place))
    nodes = {}
    for leaf in [step for step in readers if id(getattr(step, "variable", None)) in weights]:
        node = _sole(readers, leaf)
        if node is not None and node.name() == "TBackward0":
            product = _sole(readers, node)
            factor = product is not None and readers[node][0][1] == len(product.next_functions) - 1
            if factor and product.name() in SAVED and getattr(product, "_saved_alpha", 1) == 1:
                nodes[id(leaf.variable)] = product
        elif node is not None and node.name() == "EmbeddingBackward0" and not node._saved_scale_grad_by_freq:
            nodes[id(leaf.variable)] = node
    return nodes


def _sole(readers: dict[Node, list[tuple[Node, int]]], node: Node) -> Node | None:
    return readers[node][0][0] if len(readers[node]) == 1 else None
