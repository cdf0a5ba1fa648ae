"""Trace, norm and effective rank of a tangent kernel that is never formed, from reverse mode alone.

For random signs ``V``, ``(rows, k)``, the Gram matrix ``S = V' Theta V`` of the gradients ``J' V`` determines
unbiased estimates: ``E S_aa = tr Theta`` and, for ``a != b``, ``E S_ab^2 = |Theta|_F^2`` and ``E S_aa S_bb =
(tr Theta)^2``. No forward-mode pass is needed, and ``k`` probes give ``k (k - 1) / 2`` pairs.

Source: Hazelden (2025), arXiv 2511.10796, one-sided estimators; Hutchinson (1989).
"""

import torch
from jaxtyping import Float
from torch import Tensor

from ntkd_lib.ntk.operator import NTKOperator


def sign_gram(operator: NTKOperator, probes: int, seed: int) -> Float[Tensor, "k k"]:
    """Compute ``V' Theta V`` for random signs ``V``.

    Memory holds ``probes`` copies of the weights, of kind ``trace`` as many for each class.

    Raises:
        ValueError: Fewer than two probes, or an operator between two batches.

    >>> linear, x = torch.nn.Linear(1, 1, bias=False), torch.ones(3, 1)
    >>> gram = sign_gram(NTKOperator(linear, x, kind="trace"), probes=2, seed=0)
    >>> estimate_effective_rank(gram)  # of a kernel of ones, rank 1 whatever the signs
    1.0
    """
    if probes < 2:
        raise ValueError(f"probes: got {probes}, needs at least 2")
    generator = torch.Generator().manual_seed(seed)
    signs = 2 * torch.randint(2, (operator.shape[1], probes), generator=generator) - 1
    return operator.gram(signs)


def estimate_trace(gram: Float[Tensor, "k k"]) -> float:
    """Estimate the trace ``tr Theta``, without bias; variance ``2 |Theta - diag Theta|_F^2 / k``."""
    return float(gram.diagonal().mean())


def estimate_squared_norm(gram: Float[Tensor, "k k"]) -> float:
    """Estimate the squared Frobenius norm ``|Theta|_F^2``, without bias."""
    return _mean_of_pairs(gram.square())


def estimate_effective_rank(gram: Float[Tensor, "k k"]) -> float:
    """Estimate the effective rank ``(tr Theta)^2 / |Theta|_F^2`` by a ratio of unbiased estimates.

    Raises:
        ValueError: A squared norm whose estimate is zero: that of a zero kernel, or by chance of few probes.
    """
    diagonal, squared = gram.diagonal(), estimate_squared_norm(gram)
    if not squared:
        raise ValueError("gram: got a squared norm of 0, needs more probes or another kernel")
    return _mean_of_pairs(torch.outer(diagonal, diagonal)) / squared


def _mean_of_pairs(values: Float[Tensor, "k k"]) -> float:
    count = len(values)
    return float((values.sum() - values.trace()) / (count * (count - 1)))
