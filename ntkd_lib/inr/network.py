"""What training needs of a network: values, gradients and tangents, by hand where the network allows it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ntkd_lib.inr import scores
from ntkd_lib.inr.scores import Moved
from ntkd_lib.inr.stack import DenseStack, add


class StackNetwork(DenseStack):
    """A stack of dense layers; every pass is written by hand."""

    @torch.no_grad()
    def gradient(self, x: Tensor, y: Tensor, weights: Tensor | None = None) -> Tensor:
        """Set the gradients of the (weighted) mean squared error, chunk by chunk.

        Args:
            x: Coordinates, ``(b, d)``.
            y: Targets, ``(b, c)``.
            weights: One a point, ``(b,)``; None for equal weights.

        Returns:
            Residuals before the step, ``(b, c)``.
        """
        total, residuals = self.zeros(), []
        factors = _factors(y, weights)
        for points, targets, factor in zip(
            x.split(self.chunk), y.split(self.chunk), factors.split(self.chunk), strict=True
        ):
            kept = self.record(points)
            residuals.append(kept.outputs - targets)
            add(total, self.backward(kept, residuals[-1] * factor))
        for layer, (weight, bias) in zip(self.layers, total, strict=True):
            layer.weight.grad, layer.bias.grad = weight, bias
        return torch.cat(residuals)

    def moved(self, x: Tensor, y: Tensor) -> Moved:
        """Give ``theta g`` by one fused pass.

        Args:
            x: Coordinates, ``(n, d)``.
            y: Targets, ``(n, c)``.

        Returns:
            Changes and residuals.
        """
        return scores.fused(self, x, y)


class AnyNetwork:
    """Any other network; automatic differentiation does the work.

    Args:
        net: From ``(n, d)`` to ``(n, c)``.
        chunk: Points at a time.
    """

    def __init__(self, net: nn.Module, chunk: int = 2048) -> None:
        """Keep both."""
        self.net, self.chunk = net, chunk

    @torch.no_grad()
    def predict(self, x: Tensor) -> Tensor:
        """Give the values at coordinates, ``(n, c)``.

        Args:
            x: Coordinates, ``(n, d)``.

        Returns:
            Values.
        """
        return torch.cat([self.net(points) for points in x.split(self.chunk)])

    def gradient(self, x: Tensor, y: Tensor, weights: Tensor | None = None) -> Tensor:
        """Set the gradients of the (weighted) mean squared error, chunk by chunk.

        Args:
            x: Coordinates, ``(b, d)``.
            y: Targets, ``(b, c)``.
            weights: One a point, ``(b,)``; None for equal weights.

        Returns:
            Residuals before the step, ``(b, c)``.
        """
        self.net.zero_grad(set_to_none=True)
        residuals, factors = [], _factors(y, weights)
        for points, targets, factor in zip(
            x.split(self.chunk), y.split(self.chunk), factors.split(self.chunk), strict=True
        ):
            residual = self.net(points) - targets
            (0.5 * factor * residual.square()).sum().backward()
            residuals.append(residual.detach())
        return torch.cat(residuals)

    def moved(self, x: Tensor, y: Tensor) -> Moved:
        """Give ``theta g`` by vjp and jvp.

        Args:
            x: Coordinates, ``(n, d)``.
            y: Targets, ``(n, c)``.

        Returns:
            Changes and residuals.
        """
        return scores.separate(self.net, x, y, self.chunk)


def _factors(y: Tensor, weights: Tensor | None) -> Tensor:
    """Give ``2 w_i / (b c)``: what multiplies a residual in the gradient of the loss."""
    even = torch.full((len(y), 1), 2 / y.numel(), device=y.device, dtype=y.dtype)
    return even if weights is None else even * weights[:, None]


Network = StackNetwork | AnyNetwork


def wrap(net: nn.Module, chunk: int = 2048) -> Network:
    """Choose how a network is run: by hand where it is a stack of dense layers.

    Args:
        net: From ``(n, d)`` to ``(n, c)``.
        chunk: Points at a time.

    Returns:
        The network, ready to be trained.
    """
    if isinstance(net, nn.Sequential):
        try:
            return StackNetwork(net, chunk)
        except TypeError:
            pass
    return AnyNetwork(net, chunk)
