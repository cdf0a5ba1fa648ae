"""Scores of points by the tangent kernel: the change at each point by a step on all points.

With the Jacobian ``J`` of shape ``(N c, p)`` the tangent kernel is ``theta = J J^T``, and its action on a
vector ``g`` is ``J (J^T g)``: one backward and one tangent pass. No row of the kernel is ever formed.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ntkd_lib.inr.stack import DenseStack, ForwardCache, Outputs, Points
from ntkd_lib.ntk.functional import call_with, tangent

KEEP = 2**30  # bytes of activations that a refresh keeps between its two passes


@dataclass(frozen=True)
class ScoreRefresh:
    """The first-order decrease of each value per step along ``-J^T g``, with the residuals ``g``."""

    change: Float[Tensor, "n c"]  # ``theta g``
    residuals: Float[Tensor, "n c"]  # ``g``, prediction minus target

    @property
    def norms(self) -> Float[Tensor, " n"]:
        """``||(theta g)_i||``, the score of NINT."""
        return self.change.square().sum(1).sqrt()

    @property
    def alignment(self) -> Float[Tensor, " n"]:
        """``g_i . (theta g)_i``: each point's part in the first-order fall of the loss."""
        return (self.change * self.residuals).sum(1)


@torch.no_grad()
def fused(stack: DenseStack, x: Points, y: Outputs, keep: int = KEEP) -> ScoreRefresh:
    """Compute ``theta g`` for all points in one fused pass over chunks.

    Each chunk goes forward once, its activations are kept, and both the backward and the tangent pass use
    them: 1 + 2 + 2 forward-equivalents. Chunks beyond ``keep`` bytes are run forward a second time, which
    costs one more. Memory is bounded by ``keep`` and one chunk.

    Source: NINT, the score of Algorithm 1, by the identity ``theta g = J (J^T g)``.
    """
    total, room = stack.zeros(), keep
    change, residuals = torch.empty_like(y), torch.empty_like(y)
    chunks: list[ForwardCache | None] = []
    for points, targets, g in split(stack.chunk, x, y, residuals):
        cache = stack.record(points)
        torch.sub(cache.outputs, targets, out=g)
        stack.backward(cache, g, total)
        room -= cache.bytes
        chunks.append(cache if room >= 0 else None)
        del cache  # or it would stay while the next chunk is made
    for (points, moved), cache in zip(split(stack.chunk, x, change), chunks, strict=True):
        moved.copy_(stack.tangent(cache or stack.record(points), total))
    return ScoreRefresh(change, residuals)


def split(chunk: int, *parts: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Split tensors into views of as many points."""
    return zip(*(part.split(chunk) for part in parts), strict=True)


@torch.enable_grad()
def separate(net: nn.Module, x: Points, y: Outputs, chunk: int = 2048) -> ScoreRefresh:
    """Compute ``theta g`` for any network by automatic differentiation: forward, ``J^T g``, then ``J v``."""
    trained = {name: p for name, p in net.named_parameters() if p.requires_grad}
    total, residuals = [torch.zeros_like(p) for p in trained.values()], []
    for points, targets in split(chunk, x, y):
        values = net(points)
        residuals.append(values.detach() - targets)
        parts = torch.autograd.grad(values, list(trained.values()), residuals[-1], materialize_grads=True)
        total = [a.add_(b) for a, b in zip(total, parts, strict=True)]
    change = [_push(net, trained, points, total) for points in x.split(chunk)]
    return ScoreRefresh(torch.cat(change), torch.cat(residuals))


def _push(net: nn.Module, trained: dict[str, Tensor], points: Tensor, direction: list[Tensor]) -> Tensor:
    """Compute ``J v`` in forward mode, or by two reverse passes if PyTorch has no rule for that."""
    place = {name: p.detach() for name, p in trained.items()}
    along = dict(zip(trained, direction, strict=True))
    try:
        return tangent(lambda p: call_with(net, p, (points,)), place, along).detach()
    except (NotImplementedError, RuntimeError):
        return _push_twice(net, trained, points, direction)


def _push_twice(
    net: nn.Module, trained: dict[str, Tensor], points: Tensor, direction: list[Tensor]
) -> Tensor:
    """Differentiate ``u^T J v`` with respect to ``u``."""
    values = net(points)
    u = torch.zeros_like(values, requires_grad=True)
    pulled = torch.autograd.grad(values, list(trained.values()), u, create_graph=True, materialize_grads=True)
    return torch.autograd.grad(sum((a * v).sum() for a, v in zip(pulled, direction, strict=True)), u)[0]


@torch.no_grad()
def leverage(stack: DenseStack, x: Points) -> Float[Tensor, " n"]:
    """Compute the diagonal of the trace kernel, ``theta(x, x) = ||df(x)/dtheta||^2``, exactly.

    A dense layer's gradient at one point is an outer product, so that its norm is a product of norms:
    ``sum_k sum_l |delta_kl|^2 (|a_l|^2 + 1)`` over outputs ``k`` and layers ``l``.
    """
    return torch.cat([_chunk_leverage(stack, stack.record(points)) for points in x.split(stack.chunk)])


def _chunk_leverage(stack: DenseStack, cache: ForwardCache) -> Tensor:
    outputs = cache.outputs.shape[1]
    sizes = [a.square().sum(1).add_(1) for a in cache.inputs][::-1]
    total = torch.zeros_like(sizes[0])
    for k in range(outputs):
        g = torch.zeros_like(cache.outputs)
        g[:, k] = 1
        for (_, delta, scale), size in zip(stack.deltas(cache, g), sizes, strict=True):
            total.addcmul_(delta.square().sum(1), size, value=scale**2)
    return total


@torch.no_grad()
def last_layer(stack: DenseStack, x: Points, y: Outputs) -> ScoreRefresh:
    """Compute ``theta g`` with the kernel of the last layer alone, ``theta = A A^T + 1``.

    One forward pass and two thin products: what is left of the score when backward passes are saved.
    """
    weight = torch.zeros_like(stack.layers[-1].weight)
    bias = torch.zeros_like(stack.layers[-1].bias)
    features, residuals = [], []
    for points, targets in split(stack.chunk, x, y):
        cache = stack.record(points)
        features.append(cache.inputs[-1])
        residuals.append(cache.outputs - targets)
        weight += residuals[-1].T @ features[-1]
        bias += residuals[-1].sum(0)
    change = torch.cat([torch.addmm(bias, a, weight.T) for a in features])
    return ScoreRefresh(change, torch.cat(residuals))
