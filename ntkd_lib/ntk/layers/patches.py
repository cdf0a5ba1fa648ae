"""Patches that the weight of a convolution multiplies, for one to three dimensions."""

from itertools import product

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


def convolution_patches(layer: nn.Module, inputs: Float[Tensor, "n k *s"]) -> Float[Tensor, "n q d"]:
    """Unfold the input of a convolution into its patches."""
    plain = layer.padding_mode == "zeros" and not isinstance(layer.padding, str)
    if plain and inputs.ndim == 4:
        return functional.unfold(inputs, layer.kernel_size, layer.dilation, layer.padding, layer.stride)
    if plain:
        sides = [side for p in reversed(layer.padding) for side in (p, p)]
    else:
        sides = layer._reversed_padding_repeated_twice
    mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
    padded = functional.pad(inputs, sides, mode=mode)
    return _windows(padded, layer.kernel_size, layer.stride, layer.dilation)


def transposed_patches(
    layer: nn.Module, signal: Float[Tensor, "n o *s"], positions: tuple[int, ...]
) -> Float[Tensor, "n q d"]:
    """Unfold the signal at the output of a transposed convolution into a patch per input position."""
    sides = []
    geometry = zip(
        layer.kernel_size,
        layer.stride,
        layer.dilation,
        layer.padding,
        positions,
        signal.shape[2:],
        strict=True,
    )
    for size, stride, dilation, padding, count, length in geometry:
        reach = (count - 1) * stride + dilation * (size - 1) + 1
        sides = [padding, reach - padding - length, *sides]
    return _windows(functional.pad(signal, sides), layer.kernel_size, layer.stride, layer.dilation)


def _windows(
    padded: Tensor, size: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...]
) -> Float[Tensor, "n q d"]:
    steps = zip(padded.shape[2:], size, stride, dilation, strict=True)
    counts = [(length - d * (k - 1) - 1) // s + 1 for length, k, s, d in steps]
    shifted = []
    for offset in product(*(range(k) for k in size)):
        window = padded
        for axis, (o, count, s, d) in enumerate(zip(offset, counts, stride, dilation, strict=True), start=2):
            window = window.narrow(axis, o * d, s * (count - 1) + 1)
            window = window[(slice(None),) * axis + (slice(None, None, s),)]
        shifted.append(window)
    patches = torch.stack(shifted, dim=2)
    return patches.flatten(3).flatten(1, 2)
