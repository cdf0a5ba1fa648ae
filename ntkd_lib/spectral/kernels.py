"""Kernels that a spectral student can use: Gaussian with a bandwidth rule, and a network's tangent kernel."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from scipy.spatial.distance import cdist, pdist
from torch import nn

from ntkd_lib.ntk.empirical import empirical_ntk

Kernel = Callable[[np.ndarray, np.ndarray], np.ndarray]
BANDWIDTHS = (0.5, 1.0, 2.0, 4.0)
_SAMPLE = 2000  # rows whose distances are enough for a median


@dataclass(frozen=True)
class GaussianKernel:
    """The kernel ``k(x, x') = exp(-|x - x'|^2 / (2 width^2))``."""

    width: float  # bandwidth, in units of the inputs

    def __call__(self, x1: Float[np.ndarray, "n d"], x2: Float[np.ndarray, "m d"]) -> np.ndarray:
        """Compute the Gram matrix of two sets of inputs, ``(n, m)``."""
        distances = cdist(x1, x2, "sqeuclidean")
        distances *= -0.5 / self.width**2
        return np.exp(distances, out=distances)


@dataclass(frozen=True)
class TangentKernel:
    """The tangent kernel of a copy of a network at its present weights, summed over outputs."""

    model: nn.Module  # network that takes inputs ``(n, d)`` in 32-bit numbers
    probe: bool = True  # whether every kernel is compared with plain autograd in one random entry

    def __post_init__(self) -> None:
        object.__setattr__(self, "model", deepcopy(self.model))

    def __call__(self, x1: Float[np.ndarray, "n d"], x2: Float[np.ndarray, "m d"]) -> np.ndarray:
        """Compute the Gram matrix of two sets of inputs, ``(n, m)``, in the network's 32 bits."""
        first, second = (torch.tensor(x, dtype=torch.float32) for x in (x1, x2))
        with torch.no_grad():
            return empirical_ntk(self.model, first, second, kind="trace", probe=self.probe).numpy()


def median_distance(x: Float[np.ndarray, "n d"]) -> float:
    """Compute the median distance between two inputs; 1 if at least half of all pairs coincide.

    Of more than 2,000 rows an even choice of 2,000 is used.
    """
    rows = np.linspace(0, len(x) - 1, min(len(x), _SAMPLE)).astype(int)
    median = float(np.median(pdist(x[rows]))) if len(x) > 1 else 0.0
    return median if median > 0 else 1.0


def gaussian_kernels(
    x: Float[np.ndarray, "n d"], bandwidths: Sequence[float] = BANDWIDTHS
) -> list[GaussianKernel]:
    """Build Gaussian kernels whose widths are multiples of the median distance.

    Raises:
        ValueError: No multiple, or one that is not a finite number above 0.
    """
    if not len(bandwidths):
        raise ValueError("bandwidths: got none, needs at least one multiple of the median distance")
    for value in bandwidths:
        if not 0 < value < float("inf"):
            raise ValueError(f"bandwidths: got {value}, needs finite numbers above 0")
    median = median_distance(x)
    return [GaussianKernel(value * median) for value in bandwidths]
