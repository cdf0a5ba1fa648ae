"""Signals: gradients of all logits at the outputs of layers, by one backward pass, all at once or in turn."""

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.func import vmap

from ntkd_lib.ntk.functional import plain_operations
from ntkd_lib.ntk.recording import LayerCall, nodes_behind

Receiver = Callable[[LayerCall, Tensor], None]


def stream_signals(logits: Float[Tensor, "n c"], uses: Sequence[LayerCall], receive: Receiver) -> None:
    """Pass on the signal of each layer call when the backward pass reaches it, and free the graph behind.

    Raises:
        RuntimeError: A backward pass that cannot be batched over logits.
    """
    waiting = dict(enumerate(uses))
    first = _first_uses(uses)

    def hook(k: int, place: int) -> Callable:
        def passed(gradients: tuple[Tensor | None, ...]) -> None:
            if gradients[place] is not None and k in waiting:
                _Physical.apply(gradients[place], lambda signal: receive(waiting.pop(k), signal))

        return passed

    others = ((k, use.edge) for k, use in enumerate(uses) if k not in first)
    handles = [edge.node.register_prehook(hook(k, edge.output_nr)) for k, edge in others]
    try:
        with plain_operations():
            rows = _backward(logits, [uses[k] for k in first], retain_graph=False)
    finally:
        for handle in handles:
            handle.remove()
    for k, row in zip(first, rows, strict=True):
        if row is not None:
            receive(waiting.pop(k), row)


class _Physical(torch.autograd.Function):
    """Pass on a gradient of all logits as the tensor that holds them, which a batched pass hides."""

    @staticmethod
    def forward(gradient: Tensor, receive: Callable[[Tensor], None]) -> Tensor:
        receive(gradient[None])  # the same for all logits
        return gradient.view_as(gradient)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
        pass

    @staticmethod
    def vmap(_: Any, dims: tuple, gradient: Tensor, receive: Callable[[Tensor], None]) -> tuple:
        receive(gradient.movedim(dims[0], 0))
        return gradient, dims[0]


def _first_uses(uses: Sequence[LayerCall]) -> list[int]:
    """Find the calls whose input depends on no other call: a backward pass to them reaches all."""
    nodes, behind = {use.edge.node for use in uses}, [use.edge.node.next_functions for use in uses]
    return [k for k, steps in enumerate(behind) if nodes.isdisjoint(nodes_behind([s for s, _ in steps], {}))]


def all_signals(
    logits: Float[Tensor, "n c"], uses: Sequence[LayerCall], *, batched: bool = True
) -> dict[LayerCall, Float[Tensor, "c ..."]]:
    """Compute the signals of all calls that reach the logits; differentiable if gradients are enabled."""
    create_graph = torch.is_grad_enabled()
    with torch.enable_grad(), plain_operations():
        rows = None
        with contextlib.suppress(RuntimeError):  # some passes, such as of circular padding, cannot be batched
            rows = _backward(logits, uses, retain_graph=True, create_graph=create_graph) if batched else None
        if rows is None:
            rows = _backward_singly(logits, uses, create_graph)
    signals = {use: row for use, row in zip(uses, rows, strict=True) if row is not None}
    return signals if create_graph else {use: row.detach() for use, row in signals.items()}


def _backward(
    logits: Tensor, uses: Sequence[LayerCall], *, retain_graph: bool, create_graph: bool = False
) -> tuple[Tensor | None, ...]:
    edges = [use.edge for use in uses]
    options = {"retain_graph": retain_graph, "create_graph": create_graph, "allow_unused": True}
    reached: list[bool] = []

    def along(direction: Float[Tensor, " c"]) -> tuple[Tensor, ...]:
        rows = torch.autograd.grad(logits, edges, direction.expand_as(logits), **options)
        reached.extend(row is not None for row in rows)
        return tuple(row for row in rows if row is not None)

    rows = iter(vmap(along)(torch.eye(logits.shape[1]).to(logits)))
    return tuple(next(rows) if arrived else None for arrived in reached)


def _backward_singly(logits: Tensor, uses: Sequence[LayerCall], create_graph: bool) -> list[Tensor | None]:
    edges = [use.edge for use in uses]
    options = {"retain_graph": True, "create_graph": create_graph, "allow_unused": True}
    rows = [torch.autograd.grad(logit.sum(), edges, **options) for logit in logits.unbind(1)]
    return [None if row[0] is None else torch.stack(row) for row in zip(*rows, strict=True)]
