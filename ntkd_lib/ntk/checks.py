"""Checks that refuse inputs for which a tangent kernel is undefined or unsupported."""

from math import inf
from numbers import Integral, Real

from torch import Tensor, nn

from ntkd_lib.ntk.kinds import KINDS

METHODS = ("auto", "contraction", "products", "structured")


def check_request(x1: object, x2: object, kind: str, method: str, tile: object, memory: object) -> None:
    """Refuse an unknown kind or method, a tile or memory that is no number, and what `check_batches` refuses.

    Raises:
        ValueError: What came and what is allowed, in one line.
    """
    if kind not in KINDS:
        raise ValueError(f"kind: got {kind!r}, allowed are {', '.join(KINDS)}")
    if method not in METHODS:
        raise ValueError(f"method: got {method!r}, allowed are {', '.join(METHODS)}")
    if not isinstance(tile, Integral) and tile not in (None, "auto"):
        raise ValueError(f"tile: got {tile!r}, allowed are a number of samples, 'auto' and None")
    if isinstance(tile, Integral) and tile < 1:
        raise ValueError(f"tile: got {tile}, needs at least 1 sample")
    if not (isinstance(memory, Real) and 1 <= memory < inf):
        raise ValueError(f"memory: got {memory!r}, needs at least 1 byte, and a finite number")
    check_batches(x1, x2)


def check_batches(x1: object, x2: object = None, names: tuple[str, str] = ("x1", "x2")) -> None:
    """Refuse batches that are no tensors or empty, and two whose samples have different shapes."""
    for name, x in zip(names, (x1, x1 if x2 is None else x2), strict=True):
        if not (isinstance(x, Tensor) and x.ndim):
            raise ValueError(f"{name}: got {type(x).__name__}, needs a tensor of samples (n, ...)")
    if not len(x1) or (x2 is not None and not len(x2)):
        raise ValueError("inputs: got an empty batch, needs at least one sample")
    if x2 is not None and x1.shape[1:] != x2.shape[1:]:
        shapes = [tuple(x.shape[1:]) for x in (x1, x2)]
        raise ValueError(f"{names[1]}: got samples of shape {shapes[1]}, {names[0]} has {shapes[0]}")


def check_model(model: nn.Module) -> None:
    """Refuse models whose output for one sample depends on the others, or that have nothing to train.

    Raises:
        ValueError: The layer by name, or the lack of trainable parameters.
    """
    for name, layer in model.named_modules():
        if isinstance(layer, nn.modules.batchnorm._BatchNorm) and (
            layer.training or layer.running_mean is None
        ):
            state = "in training mode" if layer.training else "without running statistics"
            advice = "" if layer.running_mean is None else "; call model.eval() first"
            why = f"{type(layer).__name__} {state} mixes samples, so no per-sample tangent kernel exists"
            raise ValueError(f"layer {name!r}: {why}{advice}")
        if isinstance(layer, nn.modules.dropout._DropoutNd) and layer.training and layer.p > 0:
            raise ValueError(f"layer {name!r}: dropout in training mode is random; call model.eval() first")
    if not any(p.requires_grad for p in model.parameters()):
        raise ValueError("model: got no trainable parameter, a tangent kernel needs at least one")
