"""Cells that measure Eq. 11: how much a filter error moves the tangent kernel of wider and wider networks."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ntkd_lib.data.load import load
from ntkd_lib.optics.front_end import SignedFrontEnd
from ntkd_lib.records.cells import CellResult, Record
from ntkd_lib.records.seeds import derive_seed, deterministic

IMAGES, CLASSES, TAPS, SIDE, NARROWEST, CHUNK = 64, 10, 49, 28, 8, 32
READINGS = ("total", "weight", "linear")


def run(arguments: Mapping[str, Any], needs: Mapping[str, Record]) -> CellResult:
    """Change the filters of networks of 8, 16, ... filters, and compare their tangent kernels.

    Three readings: the error of all filters together has norm 1 (``total``); each weight's error has the same
    standard deviation, that of ``total`` at 8 filters (``weight``); ``total`` without a ReLU (``linear``).

    Source: NTKD paper, Eq. 11.

    Args:
        arguments: ``data``, ``sha256``, ``seed``, ``widest``.
        needs: Nothing.

    Returns:
        ``filters``, and by reading the relative Frobenius change at each width.
    """
    del needs
    deterministic(arguments["seed"])
    everything = load(arguments["data"], "train", expect=arguments["sha256"]).images
    images = everything[torch.randperm(len(everything))[:IMAGES]].float() / 255
    widths = [2**power for power in range(3, int(math.log2(arguments["widest"])) + 1)]
    seed = arguments["seed"]
    changes = {name: [_change(images, width, name, seed) for width in widths] for name in READINGS}
    return CellResult({"filters": widths, **changes})


@torch.no_grad()
def _change(images: Float[Tensor, "n 1 28 28"], filters: int, reading: str, seed: int) -> float:
    torch.manual_seed(derive_seed("theory", seed, filters))  # every reading of a width has the same draws
    weights = torch.randn(filters, 1, 7, 7)
    error = torch.randn_like(weights)
    heads = torch.randn(CLASSES, filters, (SIDE // 2) ** 2)
    total = 1.0 if reading != "weight" else (filters / NARROWEST) ** 0.5
    moved = weights + total * error / error.norm()
    rectify = reading != "linear"
    before, after = (network_kernel(images, w, heads, rectify=rectify) for w in (weights, moved))
    return ((after - before).norm() / before.norm()).item()


def network_kernel(
    images: Float[Tensor, "n 1 h w"],
    weights: Float[Tensor, "m 1 7 7"],
    heads: Float[Tensor, "c m q"],
    *,
    rectify: bool = True,
) -> Float[Tensor, "n n"]:
    """Compute the trace kernel of ``f = (m q)^-1/2 sum_jp v_jp pool(r(w_j * x / 7))_p``, all weights normal.

    The kernel is a sum over filters, taken some at a time.

    Source: NTKD paper, Eq. 6 and 11, in the parametrisation of Jacot et al. (2018).

    Args:
        images: Images.
        weights: Filters.
        heads: Weights of the dense layer.
        rectify: Whether there is a ReLU.

    Returns:
        Symmetric kernel, summed over classes.
    """
    kernel = torch.zeros(len(images), len(images)).to(images)
    for part, head in zip(weights.split(CHUNK), heads.split(CHUNK, dim=1), strict=True):
        front = SignedFrontEnd(len(part), images.shape[-1], rectify=rectify).to(images)
        front.filters.copy_(part / TAPS**0.5)
        maps = front.maps(images)
        seen = front.pool(maps)
        signal = head.flatten(1).expand(len(images), -1, -1)
        gradients = front.filter_gradients(images, maps, signal).flatten(1) / TAPS**0.5
        kernel += len(heads) * seen @ seen.T + gradients @ gradients.T
    return kernel / heads[0].numel()
