"""A dense network as a list of layers: forward, backward and tangent by hand, in chunks of points.

Automatic differentiation runs the network again for each of the three. Here they share the cache of the
forward pass, which makes a refresh of scores cheap.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ntkd_lib.inr.activations import has_slope, value_and_slope
from ntkd_lib.nets.changes import is_changed
from ntkd_lib.nets.sine import Sine

Points = Float[Tensor, "n d"]
Outputs = Float[Tensor, "n c"]
Layer = tuple[Tensor, Tensor]
CACHED = 2**17  # numbers per layer and chunk that stay in a core's cache, measured
UNIT = Sine(1.0)


@dataclass(frozen=True)
class ForwardCache:
    """The tensors that backward and tangent passes reuse."""

    inputs: list[Tensor]  # what enters each layer, ``(n, w_l)``
    slopes: list[Tensor]  # of each activation at its scaled argument, ``(n, w_l)``
    outputs: Outputs

    @property
    def bytes(self) -> int:
        """Memory in bytes."""
        return sum(t.numel() * t.element_size() for t in (*self.inputs, *self.slopes, self.outputs))


class DenseStack:
    """Linear layers with elementwise activations between them, behind an encoding without parameters.

    A sine's factor ``omega`` counts as a scale of the layer before it, which products apply at no cost.

    Args:
        net: Plain ``Sequential`` of parameter-free modules, then ``Linear, activation, …, Linear``: layers of
            exactly this type, each used once, with weight and bias that are both trained, and no hooks;
            activations of which the slope is defined.
        chunk: Points that are worked on at a time; as many as fit the cache when left out.

    Raises:
        TypeError: Another kind of network.
    """

    def __init__(self, net: nn.Sequential, chunk: int | None = None) -> None:
        modules = list(net)
        first = next((i for i, m in enumerate(modules) if isinstance(m, nn.Linear)), len(modules))
        self.net = net
        self.encoding, dense = modules[:first], modules[first:]
        self.layers, self.activations = dense[::2], dense[1::2]
        if not self.is_plain():
            kinds = ", ".join(type(module).__name__ for module in modules)
            raise TypeError(
                f"not a stack of dense layers: {kinds}; allowed: encoding, Linear, activation, … of a plain "
                "Sequential, each layer used once and trained whole, without hooks"
            )
        self.chunk = chunk or max(256, CACHED // max(layer.out_features for layer in self.layers))
        self.scales = [a.omega if type(a) is Sine else 1.0 for a in self.activations] + [1.0]
        self.scaled = [UNIT if type(a) is Sine else a for a in self.activations]

    def is_plain(self) -> bool:
        """Check that the passes here compute the network: its layers, activations, parameters and hooks."""
        weights = [layer._parameters.get(name) for layer in self.layers for name in ("weight", "bias")]
        return (
            type(self.net) is nn.Sequential
            and len(self.layers) == len(self.activations) + 1
            and all(type(layer) is nn.Linear for layer in self.layers)
            and all(map(has_slope, self.activations))
            and all(p is not None and p.requires_grad for p in weights)
            and len({id(p) for p in weights}) == len(weights) == len(list(self.net.parameters()))
            and not any(map(is_changed, self.net.modules()))
        )

    def encode(self, x: Points) -> Float[Tensor, "n features"]:
        """Apply the encoding."""
        for module in self.encoding:
            x = module(x)
        return x

    @torch.no_grad()
    def predict(self, x: Points) -> Outputs:
        """Apply the network in chunks without a cache."""
        values = x.new_empty(len(x), self.layers[-1].out_features)
        for part, out in zip(x.split(self.chunk), values.split(self.chunk), strict=True):
            out.copy_(self._outputs(part))
        return values

    def _outputs(self, x: Points) -> Outputs:
        a = self.encode(x)
        for i, activation in enumerate(self.scaled):
            z = self._argument(i, a)
            a = z.sin_() if activation is UNIT else activation(z)
        return self._argument(-1, a)

    def _argument(self, i: int, a: Tensor) -> Tensor:
        """Compute the scaled argument of an activation, ``omega (W a + b)``."""
        z = nn.functional.linear(a, self.layers[i].weight, self.layers[i].bias)
        return z if self.scales[i] == 1 else z.mul_(self.scales[i])

    @torch.no_grad()
    def record(self, x: Points) -> ForwardCache:
        """Apply the network to all points at once and cache what backward and tangent passes need."""
        inputs, slopes = [self.encode(x)], []
        for i, activation in enumerate(self.scaled):
            value, slope = value_and_slope(activation, self._argument(i, inputs[-1]))
            inputs.append(value)
            slopes.append(slope)
        return ForwardCache(inputs, slopes, self._argument(-1, inputs[-1]))

    @torch.no_grad()
    def backward(self, cache: ForwardCache, g: Outputs, total: list[Layer] | None = None) -> list[Layer]:
        """Pull one vector per point back to the gradients of weight and bias by layer, ``J^T g``.

        Args:
            total: What the result is added to, in place; zeros when left out.
        """
        total = self.zeros() if total is None else total
        for (weight, bias), (a, delta, scale) in zip(total[::-1], self.deltas(cache, g), strict=True):
            weight.addmm_(delta.T, a, alpha=scale)
            bias.add_(delta.sum(0), alpha=scale)
        return total

    def deltas(self, cache: ForwardCache, g: Outputs) -> Iterator[tuple[Tensor, Tensor, float]]:
        """Propagate one vector per point backwards through the layers, the last layer first.

        Yields:
            What enters a layer; the derivative with respect to what leaves it, up to a factor; that factor.
        """
        delta, scale = g, 1.0
        for i in reversed(range(len(self.layers))):
            scale *= self.scales[i]
            yield cache.inputs[i], delta, scale
            if i:
                delta = (delta @ self.layers[i].weight).mul_(cache.slopes[i - 1])

    @torch.no_grad()
    def tangent(self, cache: ForwardCache, direction: Sequence[Layer]) -> Outputs:
        """Push a change of weight and bias by layer forward to the values, ``J v``."""
        change: Tensor | None = None
        for i, (weight, bias) in enumerate(direction):
            scale = self.scales[i]
            dz = torch.addmm(bias, cache.inputs[i], weight.T, beta=scale, alpha=scale)
            if change is not None:
                dz.addmm_(change, self.layers[i].weight.T, alpha=scale)
            change = dz.mul_(cache.slopes[i]) if i < len(cache.slopes) else dz
        return change

    def zeros(self) -> list[Layer]:
        """Return a zero direction to accumulate into, like weight and bias of each layer."""
        return [(torch.zeros_like(layer.weight), torch.zeros_like(layer.bias)) for layer in self.layers]
