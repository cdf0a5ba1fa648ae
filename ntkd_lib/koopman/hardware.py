"""Analogue hardware errors of a linear model: few weight levels, noisy and missing functions."""

import torch
from jaxtyping import Float
from torch import Tensor

from ntkd_lib.koopman.lifted import LiftedInputs


def function_scale(lifted: LiftedInputs) -> Float[Tensor, " m"]:
    """Compute the root mean square of each function."""
    total = torch.stack([block.double().square().sum(1) for block in lifted]).sum(0)
    return (total / len(lifted)).sqrt().clamp(min=1e-12)


def quantise(weights: Float[Tensor, "c m"], bits: int) -> Float[Tensor, "c m"]:
    r"""Round weights to evenly spaced levels, symmetric around zero, one scale per class.

    $$\hat w = s\,\mathrm{round}(w / s), \qquad s = \max |w| / (2^{b-1} - 1)$$

    Args:
        weights: Weights of functions that have been scaled to unit root mean square.
        bits: Number b of bits, at least 2.

    Raises:
        ValueError: Fewer than two bits.

    >>> quantise(torch.tensor([[1.0, -0.26, 0.1]]), bits=3)
    tensor([[ 1.0000, -0.3333,  0.0000]])
    """
    if bits < 2:
        raise ValueError(f"quantise: bits = {bits}; allowed: at least 2")
    step = weights.abs().amax(1, keepdim=True).clamp(min=1e-30) / (2 ** (bits - 1) - 1)
    return (weights / step).round() * step


def noisy(block: Float[Tensor, "m b"], level: float, generator: torch.Generator) -> Float[Tensor, "m b"]:
    """Add Gaussian noise to functions of unit root mean square, but to the constant, in the first row.

    Args:
        level: Standard deviation of the noise.
    """
    noise = level * torch.randn(block.shape, generator=generator, dtype=block.dtype)
    noise[0] = 0
    return block + noise


def missing(block: Float[Tensor, "m b"], share: float, generator: torch.Generator) -> Float[Tensor, "m b"]:
    """Set a share of the functions to zero, the same for all inputs and never the constant: dead channels."""
    dead = torch.randperm(len(block) - 1, generator=generator)[: round(share * (len(block) - 1))] + 1
    return block.index_fill(0, dead, 0)
