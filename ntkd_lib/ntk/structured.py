"""Structured tangent kernels: layer by layer, without the whole Jacobian.

A dense layer contributes ``(A A' + 1) o (B B')``: the Gram matrix of its inputs times that of the signals
back-propagated to its outputs. A convolution contributes the Gram matrix of its per-sample gradients.
Source: Novak, Sohl-Dickstein, Schoenholz (2022), structured derivatives; the NTKD sheet's exact form.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from ntkd_lib.ntk.kinds import Kind, contract, scale


class UnsupportedLayerError(ValueError):
    """A layer with trainable parameters that the structured method does not know."""


@dataclass(frozen=True)
class Factors:
    """What one layer contributes: ``(inputs . inputs' + bias) o contract(features, features')``.

    Attributes:
        features: Back-propagated signals of a dense layer or gradients of a convolution, ``(n, c, d)``.
        inputs: Inputs of a dense layer ``(n, i)``; None where the features are whole gradients.
        weight: Whether the weight of a dense layer is trained.
        bias: Whether the bias of a dense layer is trained.
    """

    features: Tensor
    inputs: Tensor | None = None
    weight: bool = True
    bias: bool = False


def layer_factors(model: nn.Module, inputs: Float[Tensor, "n ..."]) -> list[Factors]:
    """Collect the factors of every trainable layer of a network for a batch.

    Args:
        model: Network of dense and convolutional layers, each used once, and parameter-free layers.
        inputs: Batch of samples.

    Returns:
        One entry for each layer with trainable parameters; differentiable where gradients are enabled.

    Raises:
        UnsupportedLayerError: A trainable layer of another type, or one that is used twice.
    """
    layers = _trainable_layers(model)
    create_graph = torch.is_grad_enabled()
    seen: dict[nn.Module, tuple[Tensor, Tensor]] = {}
    handles = [layer.register_forward_hook(_recorder(name, seen)) for layer, name in layers.items()]
    try:
        with torch.enable_grad():
            logits = model(inputs)
    finally:
        for handle in handles:
            handle.remove()
    with torch.enable_grad():
        signals = _signals(logits, [seen[layer][1] for layer in layers], create_graph)
    factors = [_factors(layer, seen[layer][0], b) for layer, b in zip(layers, signals, strict=True)]
    return factors if create_graph else [_detached(factor) for factor in factors]


def kernel_from_factors(left: list[Factors], right: list[Factors], kind: Kind) -> Float[Tensor, "..."]:
    """Sum the contributions of all layers to the kernel between two batches.

    Args:
        left: Factors of the first batch.
        right: Factors of the second batch.
        kind: Kind of kernel.

    Returns:
        Kernel of the given kind.
    """
    return sum(_contribution(a, b, kind) for a, b in zip(left, right, strict=True))


def _contribution(a: Factors, b: Factors, kind: Kind) -> Tensor:
    kernel = contract(a.features, b.features, kind)
    if a.inputs is None:
        return kernel
    gram = a.inputs @ b.inputs.T if a.weight else torch.zeros(len(a.inputs), len(b.inputs)).to(a.inputs)
    return scale(kernel, gram + float(a.bias), kind)


def _trainable_layers(model: nn.Module) -> dict[nn.Module, str]:
    layers: dict[nn.Module, str] = {}
    owners: dict[int, str] = {}
    for name, layer in model.named_modules(remove_duplicate=False):
        own = [p for p in layer.parameters(recurse=False) if p.requires_grad]
        if not own:
            continue
        if not _known(layer):
            raise UnsupportedLayerError(f"layer {name!r}: {type(layer).__name__} is not known to this method")
        if any(id(p) in owners for p in own):
            raise UnsupportedLayerError(f"layer {name!r}: shares weights with {owners[id(own[0])]!r}")
        owners |= {id(p): name for p in own}
        layers[layer] = name
    return layers


def _known(layer: nn.Module) -> bool:
    if type(layer) is nn.Conv2d:
        return layer.groups == 1 and layer.padding_mode == "zeros" and not isinstance(layer.padding, str)
    return type(layer) is nn.Linear


def _recorder(name: str, seen: dict[nn.Module, tuple[Tensor, Tensor]]) -> Callable[..., None]:
    def record(layer: nn.Module, args: tuple[Tensor], output: Tensor) -> None:
        if layer in seen:
            raise UnsupportedLayerError(f"layer {name!r}: is used twice in one forward pass")
        if isinstance(layer, nn.Linear) and args[0].ndim != 2:
            raise UnsupportedLayerError(f"layer {name!r}: dense layer on {args[0].ndim - 1}-axis samples")
        seen[layer] = (args[0], output)

    return record


def _signals(logits: Tensor, outputs: list[Tensor], create_graph: bool) -> list[Tensor]:
    classes = logits.shape[1]
    rows = [
        torch.autograd.grad(
            logits[:, c].sum(),
            outputs,
            retain_graph=create_graph or c < classes - 1,
            create_graph=create_graph,
        )
        for c in range(classes)
    ]
    return [torch.stack(signal, dim=1) for signal in zip(*rows, strict=True)]


def _factors(layer: nn.Module, inputs: Tensor, signals: Tensor) -> Factors:
    bias = layer.bias is not None and layer.bias.requires_grad
    if isinstance(layer, nn.Linear):
        return Factors(signals, inputs, layer.weight.requires_grad, bias)
    return Factors(_convolution_gradients(layer, inputs, signals.flatten(3), bias))


def _convolution_gradients(layer: nn.Conv2d, inputs: Tensor, signals: Tensor, bias: bool) -> Tensor:
    parts = []
    if layer.weight.requires_grad:
        geometry = {"dilation": layer.dilation, "padding": layer.padding, "stride": layer.stride}
        patches = functional.unfold(inputs, layer.kernel_size, **geometry)
        parts.append(
            (signals.flatten(1, 2) @ patches.transpose(1, 2)).unflatten(1, signals.shape[1:3]).flatten(2)
        )
    if bias:
        parts.append(signals.sum(3))
    return torch.cat(parts, dim=2)


def _detached(factor: Factors) -> Factors:
    inputs = None if factor.inputs is None else factor.inputs.detach()
    return Factors(factor.features.detach(), inputs, factor.weight, factor.bias)
