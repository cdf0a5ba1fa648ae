"""Predicted operations of each form of a kernel, so that the cheapest is chosen beforehand."""

from dataclasses import dataclass
from typing import Literal

from ntkd_lib.ntk.kinds import Kind, class_pairs

Way = Literal["one position", "gradients", "positions"]

# Small batched products and element-wise passes run at a fraction of the rate of one large product.
POSITION_PENALTY = 2.0
# Partners that share the cost of one sample's gradients; a constant, so that all tiles choose alike.
PARTNERS = 64


@dataclass(frozen=True)
class LayerShape:
    """Sizes of one call of a weight."""

    classes: int
    groups: int
    outputs: int
    inputs: int  # values that meet one output channel in a group
    positions: int  # positions at which the weight is used


def cheapest(shape: LayerShape, kind: Kind) -> Way:
    """Choose the cheapest form for one weight."""
    if shape.positions == 1 and shape.groups == 1:
        return "one position"
    if shape.groups > 1:
        return "gradients"
    first = gradient_work(shape) / PARTNERS + gradient_pair_work(shape, kind)
    return "positions" if POSITION_PENALTY * position_pair_work(shape, kind) < first else "gradients"


def gradient_work(shape: LayerShape) -> int:
    """Count the floating-point operations that form one sample's gradients."""
    return 2 * shape.classes * shape.groups * shape.outputs * shape.inputs * shape.positions


def gradient_pair_work(shape: LayerShape, kind: Kind) -> int:
    """Count the operations of inner products of gradients."""
    return 2 * class_pairs(shape.classes, kind) * shape.groups * shape.outputs * shape.inputs


def position_pair_work(shape: LayerShape, kind: Kind) -> int:
    """Count the operations of the Gram matrices of positions."""
    c, o, k, d = shape.classes, shape.outputs, shape.inputs, shape.positions
    work = 2 * d * d * (k + c * o)
    return work + 2 * class_pairs(c, kind) * d * o if kind == "full" else work


def one_position_pair_work(shape: LayerShape, kind: Kind) -> int:
    """Count the operations of a dense layer's two Gram matrices."""
    return 2 * (shape.inputs + class_pairs(shape.classes, kind) * shape.outputs)
