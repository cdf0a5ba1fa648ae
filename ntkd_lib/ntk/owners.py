"""Check in the batch at hand that a sample owns the rows of each layer which its layout assigns to it.

Layouts come from runs on two samples; a network may sort, drop or share rows by what is in a batch.
"""

import math
import re

import torch
from jaxtyping import Float
from torch import Tensor

from ntkd_lib.ntk.functional import plain_operations
from ntkd_lib.ntk.layout import SampleLayout, UnsettledError
from ntkd_lib.ntk.recording import LayerCall, nodes_behind

# Operations that compute row after row if they return as many rows; products, if these are a factor's.
PRODUCTS = {"AddmmBackward0": 1, "ConvolutionBackward0": 0, "MmBackward0": 0}
BY_ROW = re.compile(
    "(AdaptiveAvgPool2D|Add|Addmm|AvgPool2D|Cat|ConstantPadNd|Convolution|Div|Elu|Gelu|Hardtanh|LeakyRelu|"
    "MaxPool2DWithIndices|Mean|Mm|Mul|PixelShuffle|PixelUnshuffle|Relu|Sigmoid|Silu|Sin|Softplus|Sub|Tanh|"
    "UnsafeView|UpsampleBilinear2D|UpsampleNearest2D|View)Backward[01]"
)


def check_owners(logits: Float[Tensor, "n c"], layouts: dict[LayerCall, SampleLayout]) -> None:
    """Refuse layouts by which a sample has a row that the logits of others depend on.

    The logits are sent back along one direction, and again with those of each sample times a power of 2,
    which rounds nothing: the signals at its rows must be multiplied by the same. In float32 no two of 127
    samples share a factor. Left out if all operations behind the layers are known to keep the order.

    Raises:
        UnsettledError: The first layer with such a row.
    """
    n, c = logits.shape
    if not layouts or n == 1 or _keep_order(logits, layouts):
        return
    edges, generator = [use.edge for use in layouts], torch.Generator().manual_seed(0)
    types = {logits.dtype, *(edge.node._input_metadata[edge.output_nr].dtype for edge in edges)}
    info = max(map(torch.finfo, types), key=lambda info: (-info.max, info.eps))  # the narrowest
    levels = torch.randperm(n, generator=generator) % int(math.log2(info.max))
    factors = (2.0 ** (levels // 2) * (1 - 2 * (levels % 2))).to(logits)[:, None]
    direction = torch.randn(c, generator=generator).to(logits).expand(n, c)
    with torch.enable_grad(), plain_operations():
        plain, scaled = (
            torch.autograd.grad(logits, edges, along, retain_graph=True, allow_unused=True)
            for along in (direction, direction * factors)
        )
    for (use, layout), *signals in zip(layouts.items(), plain, scaled, strict=True):
        if signals[0] is not None:
            a, b = (layout.arrange(signal).reshape(n, -1) for signal in signals)
            close = (b / factors - a).norm(dim=1) <= info.eps**0.5 * a.norm(dim=1) + 1e-30
            if not (close | a.isnan().any(1)).all():
                raise UnsettledError(f"layer {use.name!r}: the rows of a sample change with its batch")


def _keep_order(logits: Tensor, layouts: dict[LayerCall, SampleLayout]) -> bool:
    """Check whether a sample is one row of each layer, and all operations behind compute row after row."""
    nodes, n = {use.edge.node for use in layouts}, len(logits)
    steps = (
        (node, place, node._input_metadata[0].shape, step._input_metadata[output].shape)
        for node in nodes_behind([logits.grad_fn], {})
        for place, (step, output) in enumerate(node.next_functions)
        if step is not None and not nodes.isdisjoint(nodes_behind([step], {}))
    )
    return all(layout.axis == 0 and layout.rows == 1 for layout in layouts.values()) and all(
        BY_ROW.fullmatch(node.name())
        and PRODUCTS.get(node.name(), place) == place
        and [*after[:1], *before[:1]] == [n, n]
        and (len(after) == len(before) or "View" in node.name())
        and len(getattr(node, "_saved_pad", ())) < 2 * len(after)
        for node, place, after, before in steps
    )
