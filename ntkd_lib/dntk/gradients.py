"""Stage 3, local-global gradient distillation: a few synthetic gradients for all points.

A synthetic gradient is a weighted sum of the gradients of points, ``phi_c = Phi_c' u``, with the same ``u``
for all classes. Source: DNTK paper, Algorithm 1, from public descriptions of it; no code is published.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ntkd_lib.imports import extra

with extra("dntk"):
    from sklearn.cluster import SpectralClustering

from ntkd_lib.dntk.rank import truncation_rank

CLUSTERS = (5, 10, 20)
SMALLEST_AFFINITY = 1e-6  # keeps the graph of points connected
DUPLICATE = 0.1  # share of a vector's length that must be new


@dataclass(frozen=True)
class Candidates:
    """Candidate vectors of synthetic gradients, in descending order of captured energy."""

    vectors: Float[Tensor, "m q"]  # unit vectors in the columns, ``(m, q)``
    energy: Float[Tensor, " q"]  # ``u' theta u`` of each
    local: Bool[Tensor, " q"]  # whether a vector belongs to a cluster, or is global
    uncovered: float  # share of the trace outside of the span of the clusters' vectors
    gap: float  # share of the trace in the global eigenvectors that were added because clusters miss them


def leading_eigenvectors(theta: Float[Tensor, "m m"]) -> tuple[Float[Tensor, " m"], Float[Tensor, "m m"]]:
    """Compute eigenvalues in descending order and their vectors, in float64.

    >>> values, vectors = leading_eigenvectors(torch.diag(torch.tensor([1.0, 4.0])))
    >>> values.tolist(), vectors[:, 0].abs().tolist()
    ([4.0, 1.0], [0.0, 1.0])
    """
    values, vectors = torch.linalg.eigh(theta.double())
    return values.flip(0), vectors.flip(1)


def cluster_points(
    theta: Float[Tensor, "m m"], choices: tuple[int, ...] = CLUSTERS, seed: int = 0
) -> Int[Tensor, " m"]:
    """Group points by spectral clustering of their kernel's cosines.

    The number of groups is the one of the choices after which the eigenvalues of the normalised affinities
    fall most.

    Args:
        choices: Numbers of groups to choose from; those that leave fewer than two points a group are left
            out.

    Raises:
        ValueError: Too few points for any of the choices.
    """
    fitting = [h for h in choices if 2 * h <= len(theta)]
    if not fitting:
        raise ValueError(f"theta: got {len(theta)} points, needs two for each of {min(choices)} groups")
    root = theta.double().diagonal().clamp(min=1e-300).rsqrt()
    affinity = (root[:, None] * theta.double() * root).clamp(min=SMALLEST_AFFINITY)
    scale = affinity.sum(1).rsqrt()
    values = torch.linalg.eigvalsh(scale[:, None] * affinity * scale).flip(0)
    count = max(fitting, key=lambda h: (values[h - 1] - values[h]).item())
    clustering = SpectralClustering(count, affinity="precomputed", random_state=seed)
    return torch.tensor(clustering.fit_predict(affinity.cpu().numpy()), device=theta.device).long()


def local_global(
    theta: Float[Tensor, "m m"], groups: Int[Tensor, " m"], *, energy: float = 0.95, coverage: float = 0.9
) -> Candidates:
    """Collect the leading eigenvectors of each group's block, and the global ones that no group covers.

    A global eigenvector ``u_j`` is covered by ``c_j = max_h |P_h u_j|_h|^2 / |u_j|_h|^2``, where ``P_h``
    projects on the kept eigenvectors of group ``h`` and ``u_j|_h`` are the entries in it.

    Args:
        energy: Share of the trace of each block, and of the whole, that eigenvectors are kept for.
        coverage: Least coverage at which a global eigenvector is left out.
    """
    values, vectors = leading_eigenvectors(theta)
    leading = vectors[:, : truncation_rank(values, energy)]
    covered = torch.zeros(leading.shape[1]).to(leading)
    columns = []
    for group in groups.unique():
        members = (groups == group).nonzero()[:, 0]
        local = _embedded(theta, members, energy)
        share = (local.T @ leading).square().sum(0) / leading[members].square().sum(0).clamp(min=1e-300)
        covered = covered.maximum(share)
        columns.append(local)
    inside, missed = torch.cat(columns, 1), covered < coverage
    candidates = torch.cat([inside, leading[:, missed]], 1)
    energies = _energies(theta, candidates)
    order = energies.argsort(descending=True, stable=True)
    local = torch.arange(len(order), device=order.device) < inside.shape[1]
    outside = 1 - _energies(theta, inside).sum() / values.sum()
    gap = values[: len(missed)][missed].sum() / values.sum()
    return Candidates(candidates[:, order], energies[order], local[order], outside.item(), gap.item())


def distinct(vectors: Float[Tensor, "m q"], count: int) -> Float[Tensor, "m s"]:
    """Select the first unit vectors, best first, that are not nearly in the span of earlier ones."""
    columns, basis = [], vectors.new_zeros(len(vectors), 0)
    for i, vector in enumerate(vectors.T):
        if len(columns) == count:
            break
        rest = vector - basis @ (basis.T @ vector)
        if rest.norm() > DUPLICATE:
            columns.append(i)
            basis = torch.cat([basis, (rest / rest.norm())[:, None]], 1)
    return vectors[:, columns]


def _embedded(theta: Tensor, members: Tensor, energy: float) -> Float[Tensor, "m r"]:
    """Compute a block's leading eigenvectors, zero outside of it."""
    values, vectors = leading_eigenvectors(theta[members][:, members])
    leading = vectors[:, : truncation_rank(values, energy)]
    return vectors.new_zeros(len(theta), leading.shape[1]).index_copy_(0, members, leading)


def _energies(theta: Tensor, vectors: Tensor) -> Float[Tensor, " q"]:
    return (vectors * (theta.double() @ vectors)).sum(0)
