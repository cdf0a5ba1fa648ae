"""Values, gradients and tangents of a network, by hand if it is a stack of dense layers."""

import warnings
from contextlib import suppress

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ntkd_lib.inr import scores
from ntkd_lib.inr.scores import ScoreRefresh
from ntkd_lib.inr.stack import DenseStack, Outputs, Points
from ntkd_lib.ntk.checks import check_model

Weights = Float[Tensor, " n"]  # one per point
PROBED = 8  # points at which passes by hand are compared with automatic differentiation


class StackNetwork(DenseStack):
    """A stack of dense layers; every pass is written by hand, and once compared with autograd."""

    def __init__(self, net: nn.Sequential, chunk: int | None = None) -> None:
        """Store the network, with automatic differentiation as the fallback."""
        super().__init__(net, chunk)
        self.general = AnyNetwork(net, self.chunk)
        self._agrees: bool | None = None

    def agrees(self, x: Points) -> bool:
        """Compare values and gradients at a few points with automatic differentiation, once.

        If they do not agree to the precision of the weights, a warning states the error, and every pass is
        automatic from then on, as are passes of a network that was changed after it.
        """
        if self._agrees is None:
            error = self._error(x[:PROBED]) if self.is_plain() else float("inf")
            self._agrees = error <= torch.finfo(x.dtype).eps ** 0.5
            if not self._agrees:
                warnings.warn(
                    f"gradients by hand differ from automatic differentiation by {100 * error:.2g} %, or the "
                    "network was changed after it was wrapped; automatic differentiation takes over",
                    stacklevel=3,
                )
        return self._agrees and self.is_plain()

    @torch.enable_grad()
    def _error(self, x: Points) -> float:
        """Measure the largest relative difference of values and of ``J^T g`` for a random ``g``."""
        values, cache = self.net(x), self.record(x)
        g = torch.randn(values.shape, generator=torch.Generator().manual_seed(0)).to(values)
        layers = [p for layer in self.layers for p in (layer.weight, layer.bias)]
        exact = [values.detach(), *torch.autograd.grad((values * g).sum(), layers, materialize_grads=True)]
        by_hand = [cache.outputs, *(p for pair in self.backward(cache, g) for p in pair)]
        return max(_difference(a, b) for a, b in zip(by_hand, exact, strict=True))

    @torch.no_grad()
    def predict(self, x: Points) -> Outputs:
        """Apply the network in chunks."""
        return super().predict(x) if self.agrees(x) else self.general.predict(x)

    @torch.no_grad()
    def gradient(self, x: Points, y: Outputs, weights: Weights | None = None) -> Outputs:
        """Set the gradients of the (weighted) mean squared error; return the residuals before the step."""
        if not self.agrees(x):
            with torch.enable_grad():
                return self.general.gradient(x, y, weights)
        total, residuals = self.zeros(), []
        factors = _factors(y, weights)
        for points, targets, factor in scores.split(self.chunk, x, y, factors):
            cache = self.record(points)
            residuals.append(cache.outputs - targets)
            self.backward(cache, residuals[-1] * factor, total)
        for layer, (weight, bias) in zip(self.layers, total, strict=True):
            layer.weight.grad, layer.bias.grad = weight, bias
        return torch.cat(residuals)

    def moved(self, x: Points, y: Outputs) -> ScoreRefresh:
        """Compute ``theta g`` by one fused pass."""
        return scores.fused(self, x, y) if self.agrees(x) else self.general.moved(x, y)


class AnyNetwork:
    """Any other network, from ``(n, d)`` to ``(n, c)``, by automatic differentiation."""

    def __init__(self, net: nn.Module, chunk: int = 2048) -> None:
        self.net, self.chunk = net, chunk

    @torch.no_grad()
    def predict(self, x: Points) -> Outputs:
        """Compute the values at coordinates."""
        return torch.cat([self.net(points) for points in x.split(self.chunk)])

    def gradient(self, x: Points, y: Outputs, weights: Weights | None = None) -> Outputs:
        """Set the gradients of the (weighted) mean squared error; return the residuals before the step."""
        self.net.zero_grad(set_to_none=True)
        residuals, factors = [], _factors(y, weights)
        for points, targets, factor in scores.split(self.chunk, x, y, factors):
            residual = self.net(points) - targets
            (0.5 * factor * residual.square()).sum().backward()
            residuals.append(residual.detach())
        return torch.cat(residuals)

    def moved(self, x: Points, y: Outputs) -> ScoreRefresh:
        """Compute ``theta g`` by vjp and jvp."""
        return scores.separate(self.net, x, y, self.chunk)


def _difference(first: Tensor, second: Tensor) -> float:
    """Compute ``|a - b| / |b|``; infinite for another shape."""
    if first.shape != second.shape:
        return float("inf")
    size = second.norm().clamp_min(torch.finfo(second.dtype).tiny)
    return ((first - second).norm() / size).item()


def _factors(y: Outputs, weights: Weights | None) -> Float[Tensor, "n 1"]:
    """Compute ``2 w_i / (b c)``: what multiplies a residual in the gradient of the loss."""
    even = torch.full((len(y), 1), 2 / y.numel(), device=y.device, dtype=y.dtype)
    return even if weights is None else even * weights[:, None]


Network = StackNetwork | AnyNetwork


def wrap(net: nn.Module, chunk: int | None = None) -> Network:
    """Wrap a network from ``(n, d)`` to ``(n, c)``, by hand if it is a stack of dense layers.

    Raises:
        ValueError: A network without trainable parameters, or whose output at a point is random or depends on
            other points, so that it would depend on the chunks.
    """
    check_model(net)
    if isinstance(net, nn.Sequential):
        with suppress(TypeError):
            return StackNetwork(net, chunk)
    return AnyNetwork(net, chunk or 2048)
