"""Types and checks shared by the closed forms of infinite width."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

DTYPES = (torch.float64, torch.float32)


class Kernels(NamedTuple):
    """The two kernels of an infinitely wide network, for one logit."""

    nngp: Float[Tensor, "n m"]  # covariance at random weights; the kernel of training the read-out alone
    ntk: Float[Tensor, "n m"]  # tangent kernel, of training all layers


def symmetrised(kernels: Kernels) -> Kernels:
    """Remove the rounding by which a kernel of a batch with itself differs from its transpose."""
    return Kernels(*((kernel + kernel.T) / 2 for kernel in kernels))


def check_samples(x1: Tensor, x2: Tensor | None, ndim: int, axes: str) -> None:
    """Refuse batches that are empty, of another shape, or not finite.

    Raises:
        ValueError: What came and what is allowed, in one line.
    """
    for name, batch in (("x1", x1), ("x2", x2)):
        if batch is None:
            continue
        if batch.ndim != ndim or not batch.numel():
            raise ValueError(f"{name}: got shape {tuple(batch.shape)}, needs {axes}, none of them 0")
        if not batch.isfinite().all():
            raise ValueError(f"{name}: got values that are not finite")
    if x2 is not None and x1.shape[1:] != x2.shape[1:]:
        raise ValueError(f"x2: got samples of shape {tuple(x2.shape[1:])}, x1 has {tuple(x1.shape[1:])}")


def check_spread(weight_std: float, bias_std: float, dtype: torch.dtype) -> None:
    """Refuse standard deviations and types without a kernel.

    Raises:
        ValueError: What came and what is allowed, in one line.
    """
    if not (weight_std > 0 and math.isfinite(weight_std)):
        raise ValueError(f"weight_std: got {weight_std}, needs a finite number above 0")
    if not (bias_std >= 0 and math.isfinite(bias_std)):
        raise ValueError(f"bias_std: got {bias_std}, needs a finite number of at least 0")
    if dtype not in DTYPES:
        raise ValueError(f"dtype: got {dtype}, allowed are {', '.join(map(str, DTYPES))}")
