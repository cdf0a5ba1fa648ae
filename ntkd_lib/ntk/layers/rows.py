"""Layers other than dense ones and convolutions, such as embeddings; gradients of all types."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from ntkd_lib.ntk.layers.outer import Dense, bias_gradients, parts_of, weight_gradients

BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
NORMS = (*BATCH_NORMS, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
EMBEDDINGS = (nn.Embedding,)
PRELU = (nn.PReLU,)
CACHED = 2**17  # values of signals that stay in the cache


def parameter_gradients(layer: nn.Module | Dense, attribute: str, inputs: Tensor, signal: Tensor) -> Tensor:
    """Form the gradients of a parameter of any listed layer, ``(n, c, *p)``."""
    if type(layer) in NORMS:
        return norm_gradients(layer, attribute, inputs, signal)
    if type(layer) in PRELU:
        return slope_gradients(layer, inputs, signal)
    if type(layer) in EMBEDDINGS:
        return table_gradients(layer, *lookup_signals(layer, inputs, signal))
    if attribute == "bias":
        return bias_gradients(layer, signal)
    return weight_gradients(layer, parts_of(layer, inputs, signal))


def norm_gradients(layer: nn.Module, name: str, inputs: Tensor, signal: Tensor) -> Float[Tensor, "n c *p"]:
    """Form the gradients of the scale or the shift of a normalisation in evaluation mode.

    ``y = scale x^ + shift``, so they are the sums of ``B x^`` and of ``B`` over positions.
    """
    if name == "bias":
        return _sum_positions(layer, signal)
    factor = _normalised(layer, inputs)[:, None]
    some = max(1, CACHED // signal[0].numel())
    rows = zip(signal.split(some), factor.split(some), strict=True)
    return torch.cat([_sum_positions(layer, b * x) for b, x in rows])


def _sum_positions(layer: nn.Module, values: Float[Tensor, "n c ..."]) -> Float[Tensor, "n c *p"]:
    if isinstance(layer, nn.LayerNorm | nn.RMSNorm):
        between = values.ndim - 2 - len(layer.normalized_shape)
        return values.flatten(2, 1 + between).sum(2) if between else values
    return values.flatten(3).sum(3) if values.ndim > 3 else values


def slope_gradients(
    layer: nn.PReLU, inputs: Float[Tensor, "n ..."], signal: Float[Tensor, "n c ..."]
) -> Float[Tensor, "n c k"]:
    """Form the gradients of the slopes of a PReLU: sums of ``B min(x, 0)`` over positions."""
    values = signal * inputs.clamp_max(0)[:, None]
    if layer.weight.numel() == 1:
        return values.flatten(2).sum(2, keepdim=True)
    return values.flatten(3).sum(3) if values.ndim > 3 else values


def _normalised(layer: nn.Module, inputs: Tensor) -> Tensor:
    if isinstance(layer, nn.LayerNorm):
        return functional.layer_norm(inputs, layer.normalized_shape, eps=layer.eps)
    if isinstance(layer, nn.RMSNorm):
        return functional.rms_norm(inputs, layer.normalized_shape, eps=layer.eps)
    if isinstance(layer, nn.GroupNorm):
        return functional.group_norm(inputs, layer.num_groups, eps=layer.eps)
    return functional.batch_norm(inputs, layer.running_mean, layer.running_var, eps=layer.eps)


def lookup_signals(
    layer: nn.Embedding, inputs: Int[Tensor, "n ..."], signal: Float[Tensor, "n c ..."]
) -> tuple[Int[Tensor, "n d"], Float[Tensor, "n c e d"]]:
    """Return the looked-up rows of an embedding and the signal at each, without padding."""
    n, c = signal.shape[:2]
    places = inputs.reshape(n, -1)
    signals = signal.reshape(n, c, -1, signal.shape[-1]).mT
    if layer.padding_idx is not None:
        trained = places != layer.padding_idx % len(layer.weight)  # it may be counted from the end
        signals = signals * trained[:, None, None].to(signals)
    return places, signals


def table_gradients(
    layer: nn.Embedding, places: Int[Tensor, "n d"], signals: Float[Tensor, "n c e d"]
) -> Float[Tensor, "n c v e"]:
    """Form the gradients of a whole embedding table: signals added up in the rows that were looked up."""
    n, c, e, _ = signals.shape
    table = signals.new_zeros(n, c, e, len(layer.weight))
    return table.scatter_add(3, places[:, None, None].expand_as(signals), signals).mT
