"""Number of significant directions of a kernel."""

import torch
from jaxtyping import Float
from torch import Tensor


def truncation_rank(values: Float[Tensor, " m"], energy: float = 0.95) -> int:
    """Count the leading eigenvalues that hold a share of the trace.

    ``r = min {r: sum_(i <= r) lambda_i >= energy sum_i lambda_i}``

    Source: DNTK paper, Def. 3.1, with ``energy = 1 - epsilon``.

    Raises:
        ValueError: A share outside of (0, 1], or no positive eigenvalue.

    >>> truncation_rank(torch.tensor([1.0, 8.0, 1.0]), energy=0.9)
    2
    """
    if not 0 < energy <= 1:
        raise ValueError(f"energy: got {energy}, allowed: above 0, at most 1")
    return int((_shares(values).cumsum(0) < energy * (1 - 1e-12)).sum().item()) + 1


def effective_rank(values: Float[Tensor, " m"]) -> float:
    """Compute the exponential of the entropy of the eigenvalues' shares of the trace.

    ``exp(-sum_i p_i log p_i)``: the number of equal eigenvalues of the same entropy.

    Source: Roy and Vetterli (2007).

    Raises:
        ValueError: No positive eigenvalue.

    >>> round(effective_rank(torch.tensor([2.0, 2.0, 0.0])), 6)
    2.0
    """
    return torch.special.entr(_shares(values)).sum().exp().item()


def _shares(values: Tensor) -> Tensor:
    ordered = values.double().cpu().clamp(min=0).sort(descending=True).values
    if not ordered.sum() > 0:
        raise ValueError("values: got no positive eigenvalue, needs at least one")
    return ordered / ordered.sum()
