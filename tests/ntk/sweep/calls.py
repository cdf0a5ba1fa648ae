"""Ways to call a layer: what it takes besides a batch, and which part of its output is read."""

import torch
from torch import Tensor, nn


def output(layer: nn.Module, x: Tensor) -> Tensor:
    return layer(x)[0]


def time_first(layer: nn.Module, x: Tensor) -> Tensor:
    return layer(x.transpose(0, 1))[0].transpose(0, 1)


def last_state(layer: nn.Module, x: Tensor) -> Tensor:
    state = layer(x)[1]
    return (state[0] if isinstance(state, tuple) else state).transpose(0, 1)


def steps(layer: nn.Module, x: Tensor) -> Tensor:
    state = None
    for step in x.unbind(1):
        state = layer(step, state)
    return state[0] if isinstance(state, tuple) else state


def one_step(layer: nn.Module, x: Tensor) -> Tensor:
    state = layer(x)
    return state[0] if isinstance(state, tuple) else state


def self_attention(layer: nn.Module, x: Tensor) -> Tensor:
    return layer(x, x, x, need_weights=False)[0]


def attention_weights(layer: nn.Module, x: Tensor) -> Tensor:
    return torch.cat([part.flatten(1) for part in layer(x, x, x, average_attn_weights=False)], dim=1)


def attention_time_first(layer: nn.Module, x: Tensor) -> Tensor:
    t = x.transpose(0, 1)
    return layer(t, t, t)[0].transpose(0, 1)


def cross_attention(layer: nn.Module, x: Tensor) -> Tensor:
    return layer(x, x[..., :3].sin(), x[..., :2].cos())[0]


def masked_attention(layer: nn.Module, x: Tensor) -> Tensor:
    hidden = torch.zeros(x.shape[:2], dtype=torch.bool)
    hidden[:, -1] = True
    mask = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
    return layer(x, x, x, key_padding_mask=hidden, attn_mask=mask, is_causal=False)[0]


def causal(layer: nn.Module, x: Tensor) -> Tensor:
    return layer(x, nn.Transformer.generate_square_subsequent_mask(x.shape[1]))


def pair(layer: nn.Module, x: Tensor) -> Tensor:
    return layer(x, x.flip(1).sin())


def pair_time_first(layer: nn.Module, x: Tensor) -> Tensor:
    t = x.transpose(0, 1)
    return layer(t, t.flip(0).sin()).transpose(0, 1)


def bilinear(layer: nn.Module, x: Tensor) -> Tensor:
    return layer(x, x.sin()[..., :3])


def bags(layer: nn.Module, x: Tensor) -> Tensor:
    return layer(x.flatten(), torch.arange(0, x.numel(), x.shape[1]))


def closed_bags(layer: nn.Module, x: Tensor) -> Tensor:
    return layer(x.flatten(), torch.arange(0, x.numel() + 1, x.shape[1]))


def weighted_bags(layer: nn.Module, x: Tensor) -> Tensor:
    return layer(x, per_sample_weights=(x + 1.0).sqrt())


def elements(layer: nn.Module, x: Tensor) -> Tensor:
    values = list(layer.values()) if isinstance(layer, nn.ParameterDict) else list(layer)
    return (x * values[0]).tanh() @ values[1]


def plain_time_first(layer: nn.Module, x: Tensor) -> Tensor:
    return layer(x.transpose(0, 1)).transpose(0, 1)
