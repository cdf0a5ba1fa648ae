"""Types shared by objectives for dense outputs: batches, the teacher's outputs, summaries of logits."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

Settings = Mapping[str, Any]


@dataclass(frozen=True)
class MaskBatch:
    """One training batch."""

    images: Float[Tensor, "b l h w"]  # scene intensities in [0, 1]
    masks: Float[Tensor, "b h w"]  # 1 if a pixel belongs to the object, else 0
    rows: Int[Tensor, " b"]  # positions of the images in the training set
    mirrored: bool = False  # left to right
    step: int = 0  # number of the training step


@dataclass(frozen=True)
class DenseTeacher:
    """Outputs of a fixed teacher; None if an objective does not use them."""

    logits: Float[Tensor, "n h w"] | None = None  # of the training set, of any floating type
    images: Float[Tensor, "a l h w"] | None = None  # whose tangent kernel is known
    features: Float[Tensor, "a r"] | None = None  # landmark features of their trace kernel
    diagonal: Float[Tensor, " a"] | None = None  # exact diagonal of their trace kernel
    summary: nn.Module | None = None  # the few outputs that the kernel belongs to


MaskObjective = Callable[[nn.Module, MaskBatch], Tensor]


def pixel_loss(logits: Float[Tensor, "b 1 h w"], masks: Float[Tensor, "b h w"]) -> Float[Tensor, ""]:
    """Compute the mean binary cross-entropy of all pixels, in nats; targets lie in [0, 1]."""
    return functional.binary_cross_entropy_with_logits(logits[:, 0], masks)


class PooledLogits(nn.Module):
    """Mean logits of the cells of a grid: ``g_c(x) = mean_{i in cell c} f_i(x)``.

    The kernel of ``g`` sees how an image moves the amount of object in each cell, and nothing finer.

    Args:
        cells: Number of cells: 6 (2 x 3), 24 (4 x 6) or any product of two nearly equal numbers.
    """

    def __init__(self, cells: int = 6) -> None:
        super().__init__()
        rows = max(r for r in range(1, int(cells**0.5) + 1) if cells % r == 0)
        self.grid = (rows, cells // rows)

    def forward(self, logits: Float[Tensor, "n 1 h w"]) -> Float[Tensor, "n c"]:
        """Average logits over cells."""
        return functional.adaptive_avg_pool2d(logits, self.grid).flatten(1)


class ProjectedLogits(nn.Module):
    """Random projections of all logits: ``g(x) = S f(x) / sqrt(c hw)`` with independent signs ``S``.

    ``S`` is ``(c, hw)``. Since ``E S'S / c = 1``, the kernel of ``g`` is an unbiased estimate of the mean
    kernel of a pixel: ``E Theta_g = Theta_f / hw``.

    Args:
        seed: Seed of the signs; teacher and student need the same.
    """

    def __init__(self, count: int = 6, pixels: int = 38_400, seed: int = 0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        signs = torch.randint(0, 2, (count, pixels), generator=generator) * 2.0 - 1
        self.register_buffer("signs", signs / (count * pixels) ** 0.5, persistent=False)

    def forward(self, logits: Float[Tensor, "n 1 h w"]) -> Float[Tensor, "n c"]:
        """Project logits."""
        return logits.flatten(1) @ self.signs.to(logits.dtype).T


def summary_of(kind: str, outputs: int, pixels: int, seed: int) -> nn.Module:
    """Build the summary of dense logits whose kernels are computed, a module without parameters.

    Raises:
        ValueError: A kind that is neither ``pooled`` nor ``projected``.
    """
    if kind == "pooled":
        return PooledLogits(outputs)
    if kind == "projected":
        return ProjectedLogits(outputs, pixels, seed)
    raise ValueError(f"summary: got {kind!r}, needs 'pooled' or 'projected'")
