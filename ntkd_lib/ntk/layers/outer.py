"""Layers whose weight gradient is a sum of outer products over positions.

The gradient of class ``c`` for sample ``n`` is ``G[n, c] = sum_d B[n, c, :, d] A[n, :, d]'`` in each group of
channels, with ``A`` what the weight multiplies at position ``d`` and ``B`` the signal at what comes of it. A
dense layer has one position, a convolution one for each output pixel. In a transposed
convolution the positions are the positions of its input, and ``B`` are the patches of the signal.
"""

from dataclasses import dataclass
from itertools import product

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

LARGE = 2**14  # values of one sample's signal whose products are large enough to be taken by sample
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)


def convolution_patches(layer: nn.Module, inputs: Float[Tensor, "n k *s"]) -> Float[Tensor, "n q d"]:
    """Unfold the input of a convolution into its patches."""
    sizes, steps, reach = layer.weight.shape[2:], _by_axis(layer, "stride"), _by_axis(layer, "dilation")
    if layer.padding_mode != "zeros":
        padded = functional.pad(inputs, layer._reversed_padding_repeated_twice, layer.padding_mode)
        return _windows(padded, sizes, steps, reach)
    if isinstance(layer.padding, str):
        whole = [(layer.padding == "same") * d * (k - 1) for d, k in zip(reach, sizes, strict=True)]
    elif inputs.ndim == 4:
        return functional.unfold(inputs, sizes, reach, layer.padding, steps)
    else:
        whole = [2 * p for p in _by_axis(layer, "padding")]
    sides = [side for w in reversed(whole) for side in (w // 2, w - w // 2)]
    return _windows(functional.pad(inputs, sides), sizes, steps, reach)


def _by_axis(layer: nn.Module, name: str) -> tuple[int, ...]:
    """Return a setting of a convolution for each axis, of which one number may be set."""
    value, axes = getattr(layer, name), layer.weight.ndim - 2
    return (value,) * axes if isinstance(value, int) else tuple(value) * (axes // len(value))


def transposed_patches(
    layer: nn.Module, signal: Float[Tensor, "n o *s"], positions: tuple[int, ...]
) -> Float[Tensor, "n q d"]:
    """Unfold the signal at the output of a transposed convolution into a patch per input position."""
    sides, sizes = [], layer.weight.shape[2:]
    steps, dilations, paddings = (_by_axis(layer, name) for name in ("stride", "dilation", "padding"))
    shape = (sizes, steps, dilations, paddings, positions, signal.shape[2:])
    for size, stride, dilation, padding, count, length in zip(*shape, strict=True):
        reach = (count - 1) * stride + dilation * (size - 1) + 1
        sides = [padding, reach - padding - length, *sides]
    return _windows(functional.pad(signal, sides), sizes, steps, dilations)


def _windows(
    padded: Tensor, size: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]
) -> Float[Tensor, "n q d"]:
    steps = zip(padded.shape[2:], size, stride, dilation, strict=True)
    spans = [((length - d * (k - 1) - 1) // s * s + 1, s) for length, k, s, d in steps]
    starts = product(*(range(0, k * d, d) for k, d in zip(size, dilation, strict=True)))
    windows = ([slice(a, a + n, s) for a, (n, s) in zip(start, spans, strict=True)] for start in starts)
    return torch.stack([padded[(..., *window)] for window in windows], dim=2).flatten(3).flatten(1, 2)


@dataclass(frozen=True, eq=False)
class Dense:
    """A dense layer: a call of ``torch.nn.functional.linear`` with parameters, or with some of their rows."""

    weight: Float[Tensor, "o k"]
    bias: Float[Tensor, " o"] | None


DENSE = (Dense,)
OUTER = (*DENSE, *CONVOLUTIONS, *TRANSPOSED)


@dataclass(frozen=True)
class OuterProducts:
    """The two parts of a sum of outer products.

    Attributes:
        inputs: ``A``, ``(n, g, k, d)``.
        signals: ``B``, ``(n, c, g, o, d)``.
    """

    inputs: Tensor
    signals: Tensor

    def with_bias(self) -> "OuterProducts":
        """Count a bias as one more input that is always 1."""
        ones = self.inputs.new_ones(*self.inputs.shape[:2], 1, self.inputs.shape[3])
        return OuterProducts(torch.cat([self.inputs, ones], dim=2), self.signals)

    def split(self, size: int) -> list["OuterProducts"]:
        """Split the longer of both sides, inputs or outputs, into pieces of a size."""
        size = max(1, size)
        if self.inputs.shape[2] >= self.signals.shape[3]:
            return [OuterProducts(part, self.signals) for part in self.inputs.split(size, dim=2)]
        return [OuterProducts(self.inputs, part) for part in self.signals.split(size, dim=3)]

    def gradients(self) -> Float[Tensor, "n c g o k"]:
        """Form the gradients."""
        n, c, g, o, d = self.signals.shape
        if g == 1 and c * o * d >= LARGE and not torch.is_grad_enabled():  # no copies of the signals
            product = self.signals.new_empty(n, c, g, o, self.inputs.shape[2])
            for a, b, rows in zip(self.inputs, self.signals, product, strict=True):
                torch.bmm(b[:, 0], a.mT.expand(c, -1, -1), out=rows[:, 0])
            return product
        rows = self.signals.transpose(1, 2).reshape(n * g, c * o, d)
        product = rows @ self.inputs.reshape(n * g, -1, d).mT
        return product.view(n, g, c, o, -1).transpose(1, 2)


def weight_gradients(layer: nn.Module | Dense, parts: OuterProducts) -> Float[Tensor, "n c *p"]:
    """Form the gradients of a layer's weight, in the weight's shape."""
    gradients = parts.gradients()
    if type(layer) in TRANSPOSED:
        gradients = gradients.mT
    return gradients.reshape(*gradients.shape[:2], *layer.weight.shape)


def bias_gradients(layer: nn.Module | Dense, signal: Tensor) -> Float[Tensor, "n c o"]:
    """Form the gradients of a layer's bias."""
    if type(layer) in DENSE:
        return signal.flatten(2, -2).sum(2) if signal.ndim > 3 else signal
    return signal.flatten(3).sum(3)


def parts_of(layer: nn.Module | Dense, inputs: Tensor, signal: Tensor) -> OuterProducts:
    """Return the outer products of any layer type of this module.

    In a transposed convolution each class has patches of its own, so they take the place of ``B``, the input
    that of ``A``, and the weight holds ``G'``.

    Args:
        inputs: Input of the layer, ``(n, ..., k)`` or, of a convolution, ``(n, k, ...)``.
        signal: Gradients of the logits with respect to its output, ``(n, c, ..., o)`` or ``(n, c, o, ...)``.
    """
    n, c = signal.shape[:2]
    if type(layer) in DENSE:
        a = inputs.reshape(n, 1, -1, inputs.shape[-1]).mT
        return OuterProducts(a, signal.reshape(n, c, 1, -1, signal.shape[-1]).mT)
    if type(layer) in CONVOLUTIONS:
        a, b = convolution_patches(layer, inputs), signal.flatten(3)
    else:
        patches = transposed_patches(layer, signal.flatten(0, 1), inputs.shape[2:])
        a, b = inputs.flatten(2), patches.unflatten(0, (n, c))
    return OuterProducts(a.unflatten(1, (layer.groups, -1)), b.unflatten(2, (layer.groups, -1)))


def joined(parts: list[OuterProducts]) -> OuterProducts:
    """Join several uses of one weight: their positions add up."""
    if len(parts) == 1:
        return parts[0]
    inputs = torch.cat([p.inputs for p in parts], dim=3)
    return OuterProducts(inputs, torch.cat([p.signals for p in parts], dim=4))
