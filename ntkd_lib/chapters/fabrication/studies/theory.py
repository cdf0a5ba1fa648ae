"""Work on Eq. 11: how much a filter error moves the tangent kernel of wider and wider networks."""

import math
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from ntkd_lib.data.load import load
from ntkd_lib.lab import CellResult, derive_seed, deterministic
from ntkd_lib.lab.work import Data, work

IMAGES, CLASSES, TAPS, SIDE, NARROWEST, CHUNK = 64, 10, 49, 28, 8, 32


@work(cost=lambda widest, **_: 15 * widest / 2048)
def theory(data: Data, seed: int, *, widest: int) -> CellResult:
    """Change the filters of networks of 8, 16, ... filters, and compare their tangent kernels by width.

    Three readings: the error of all filters together has norm 1 (`total`); each weight's error has the same
    standard deviation, that of `total` at 8 filters (`weight`); `total` without a ReLU (`linear`). A network
    of m filters has the first m filters of the widest one; its `total` error is its own.

    Source: NTKD paper, Eq. 11.
    """
    deterministic(seed)
    everything = load(data.name, "train", expect=data.sha256).images
    images = everything[torch.randperm(len(everything))[:IMAGES]].float() / 255
    widths = [2**power for power in range(3, int(math.log2(widest)) + 1)]
    torch.manual_seed(derive_seed("theory", seed))
    heads = torch.randn(CLASSES, widths[-1], (SIDE // 2) ** 2)
    with torch.no_grad():
        changes = _changes(pooled_patches(images), torch.randn(widths[-1], TAPS), heads, widths)
    return CellResult({"filters": widths, **changes})


def _changes(
    patches: Float[Tensor, "n q 4 s"],
    weights: Float[Tensor, "m s"],
    heads: Float[Tensor, "c m q"],
    widths: list[int],
) -> dict[str, list[float]]:
    moved = [weights[:m] + functional.normalize(torch.randn(m, TAPS), dim=(0, 1)) for m in widths]
    common = weights + torch.randn_like(weights) / (NARROWEST * TAPS) ** 0.5
    before, weight = (_of_first(patches, w, heads, widths) for w in (weights, common))
    total = [filter_sum(patches, w, heads[:, : len(w)]) for w in moved]
    averaged = patches.mean(2, keepdim=True)  # without a ReLU a pooling window is one patch
    smooth = _of_first(averaged, weights, heads, widths, rectify=False)
    linear = [filter_sum(averaged, w, heads[:, : len(w)], rectify=False) for w in moved]
    pairs = {"total": (total, before), "weight": (weight, before), "linear": (linear, smooth)}
    return {
        name: [((new - old).norm() / old.norm()).item() for new, old in zip(*both, strict=True)]
        for name, both in pairs.items()
    }


def _of_first(
    patches: Float[Tensor, "n q f s"],
    weights: Float[Tensor, "m s"],
    heads: Float[Tensor, "c m q"],
    widths: list[int],
    *,
    rectify: bool = True,
) -> list[Float[Tensor, "n n"]]:
    """Sum over the first filters, for several numbers of filters at once."""
    parts = [
        filter_sum(patches, weights[low:high], heads[:, low:high], rectify=rectify)
        for low, high in pairwise((0, *widths))
    ]
    return list(torch.stack(parts).cumsum(0))


def filter_sum(
    patches: Float[Tensor, "n q f s"],
    weights: Float[Tensor, "m s"],
    heads: Float[Tensor, "c m q"],
    *,
    rectify: bool = True,
) -> Float[Tensor, "n n"]:
    """Compute ``m q`` times the trace kernel of ``f = (m q)^-1/2 sum_jp v_jp pool(r(w_j * x / 7))_p``.

    All weights are normal. The kernel is a sum over filters, taken some at a time.

    Source: NTKD paper, Eq. 6 and 11, in the parametrisation of Jacot et al. (2018).
    """
    kernel = torch.zeros(len(patches), len(patches)).to(patches)
    for part, head in zip(weights.split(CHUNK), heads.split(CHUNK, dim=1), strict=True):
        signal = head.transpose(0, 1).contiguous()
        features = [_of_image(image, part / TAPS**0.5, signal, rectify) for image in patches]
        maps, gradients = (torch.stack(each) for each in zip(*features, strict=True))
        kernel.addmm_(maps, maps.T, alpha=len(heads))
        kernel.addmm_(gradients, gradients.T, alpha=1 / TAPS)
    return kernel


def pooled_patches(images: Float[Tensor, "n 1 h w"]) -> Float[Tensor, "n q 4 s"]:
    """Cut the 7 x 7 surroundings of every pixel, by pooling window and place in it."""
    height, width = images.shape[-2:]
    columns = functional.unfold(images, 7, padding=3).transpose(1, 2)
    windows = columns.unflatten(1, (height // 2, 2, width // 2, 2)).transpose(2, 3)
    return windows.flatten(1, 2).flatten(2, 3).contiguous()


def _of_image(
    patches: Float[Tensor, "q f s"], filters: Float[Tensor, "k s"], signal: Float[Tensor, "k c q"], relu: bool
) -> tuple[Float[Tensor, " kq"], Float[Tensor, " kcs"]]:
    """Compute one image's read-out and its gradients with respect to the filters: few enough for a cache."""
    maps = patches @ filters.T
    if not relu:
        return maps.mean(1).flatten(), (signal @ patches.mean(1)).flatten()
    lit = (maps > 0).to(maps)
    passed = lit.transpose(1, 2) @ patches / patches.shape[1]
    return (maps * lit).mean(1).flatten(), (signal @ passed.transpose(0, 1)).flatten()
