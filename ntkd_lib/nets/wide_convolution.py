"""Convolutions of many channels whose weight gradients are matrix products, for training on a CPU."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from ntkd_lib.nets.changes import is_changed

# From here on (inputs times outputs) products take less time than the convolution library; measured in
# bfloat16 with batches of 128.
WIDE = 256 * 256


class WideConv2d(nn.Conv2d):
    """`nn.Conv2d` whose weight gradient is a product for each place of the filter.

    The library's weight gradient of 512 channels in bfloat16 takes five times as long as these products.
    Differs from `nn.Conv2d` only if it trains on a CPU; values and gradients agree up to rounding. One with
    groups, dilation, bias, or padding in words or by other values than zero is computed as `nn.Conv2d`.
    """

    def forward(self, images: Float[Tensor, "n i h w"]) -> Float[Tensor, "n o u v"]:
        """Convolve."""
        if not (self.training and images.device.type == "cpu" and _is_plain(self)):
            return super().forward(images)
        weight = self.weight
        if torch.is_autocast_enabled("cpu"):
            kind = torch.get_autocast_dtype("cpu")
            images, weight = images.to(kind), weight.to(kind)
        return _Convolution.apply(images, weight, self.stride, self.padding)


def widen(model: nn.Module) -> nn.Module:
    """Replace wide convolutions by `WideConv2d`, which share their weights.

    Args:
        model: Network; changed in place. Convolutions with groups, dilation, bias or padding in words are
            left alone.
    """
    for parent in list(model.modules()):
        for name, layer in parent.named_children():
            wide = type(layer) is nn.Conv2d and layer.in_channels * layer.out_channels >= WIDE
            if wide and _is_plain(layer):
                setattr(parent, name, _twin(layer))
    return model


def _is_plain(layer: nn.Conv2d) -> bool:
    plain = layer.groups == 1 and layer.dilation == (1, 1) and layer.bias is None and not is_changed(layer)
    return plain and layer.padding_mode == "zeros" and not isinstance(layer.padding, str)


def _twin(layer: nn.Conv2d) -> WideConv2d:
    form = (layer.in_channels, layer.out_channels, layer.kernel_size, layer.stride, layer.padding)
    twin = WideConv2d(*form, bias=False, device="meta")
    twin.weight = layer.weight
    return twin.train(layer.training)


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, images: Tensor, weight: Tensor, stride: tuple[int, int], padding: tuple[int, int]
    ) -> Tensor:
        ctx.save_for_backward(images, weight)
        ctx.steps = stride, padding
        return functional.conv2d(images, weight, stride=stride, padding=padding)

    @staticmethod
    def backward(ctx: Any, *above: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        (signals,), (images, weight), (stride, padding) = above, ctx.saved_tensors, ctx.steps
        below = grown = None
        if ctx.needs_input_grad[0]:
            below = torch.nn.grad.conv2d_input(images.shape, weight, signals, stride, padding)
        if ctx.needs_input_grad[1]:
            grown = _weight_gradient(images, signals, tuple(weight.shape[2:]), stride, padding)
        return below, grown, None, None


def _weight_gradient(
    images: Float[Tensor, "n i h w"],
    signals: Float[Tensor, "n o u v"],
    size: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
) -> Float[Tensor, "o i r s"]:
    """Multiply signals with the shifted images of each place of the filter."""
    (down, right), (tall, wide) = padding, signals.shape[2:]
    seen = functional.pad(images.permute(0, 2, 3, 1), (0, 0, right, right, down, down))
    by_output = signals.permute(0, 2, 3, 1).flatten(0, 2).t()
    rows = [slice(y, y + stride[0] * (tall - 1) + 1, stride[0]) for y in range(size[0])]
    columns = [slice(x, x + stride[1] * (wide - 1) + 1, stride[1]) for x in range(size[1])]
    places = [by_output @ seen[:, row, column].flatten(0, 2) for row in rows for column in columns]
    return torch.stack(places, 2).unflatten(2, size)
