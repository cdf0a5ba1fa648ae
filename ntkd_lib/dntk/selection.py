"""Select real points: at random, by distance, clusters, leverage, or randomly pivoted Cholesky."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ntkd_lib.imports import extra
from ntkd_lib.ranges import check_number

with extra("dntk"):
    from sklearn.cluster import KMeans

RIDGE = 1e-3  # of ridge leverage scores, as a share of the mean diagonal


def farthest_points(theta: Float[Tensor, "m m"], count: int) -> Int[Tensor, " s"]:
    """Select points one by one, each the farthest from the selected ones; the first has the largest norm.

    ``|phi - phi'|^2 = theta(x, x) + theta(x', x') - 2 theta(x, x')``

    Source: Gonzalez (1985).

    Raises:
        ValueError: A count outside of 1 to the number of points.
    """
    check_number("count", count, 1, len(theta), whole=True)
    diagonal = theta.diagonal()
    chosen = [int(diagonal.argmax())]
    nearest = diagonal + diagonal[chosen[0]] - 2 * theta[chosen[0]]
    while len(chosen) < count:
        nearest[chosen[-1]] = -torch.inf
        chosen.append(int(nearest.argmax()))
        nearest = nearest.minimum(diagonal + diagonal[chosen[-1]] - 2 * theta[chosen[-1]])
    return torch.tensor(chosen)


def cluster_centres(theta: Float[Tensor, "m m"], count: int, seed: int = 0) -> Int[Tensor, " s"]:
    """Select the points nearest to the centres of k-means in the kernel's feature space."""
    values, vectors = torch.linalg.eigh(theta.double())
    features = vectors * values.clamp(min=0).sqrt()
    clusters = KMeans(count, n_init=1, random_state=seed).fit(features.cpu().numpy())
    distance = torch.cdist(torch.tensor(clusters.cluster_centers_), features.cpu())
    chosen: list[int] = []
    for row in distance:
        row[chosen] = torch.inf
        chosen.append(int(row.argmin()))
    return torch.tensor(chosen)


def leverage_scores(theta: Float[Tensor, "m m"], ridge: float = RIDGE) -> Float[Tensor, " m"]:
    """Compute ridge leverage scores, the diagonal of ``theta (theta + ridge t I)^-1``.

    Source: Alaoui and Mahoney (2015).

    Args:
        theta: Kernel of the points, of mean diagonal ``t``.
        ridge: Ridge as a share of the mean diagonal.

    >>> leverage_scores(torch.eye(3), ridge=1.0)
    tensor([0.5000, 0.5000, 0.5000], dtype=torch.float64)
    """
    values, vectors = torch.linalg.eigh(theta.double())
    values = values.clamp(min=0)
    return vectors.square() @ (values / (values + ridge * values.mean()))


def sample_by(scores: Float[Tensor, " m"], count: int, seed: int) -> Int[Tensor, " s"]:
    """Draw points without replacement with probabilities proportional to their scores."""
    check_number("count", count, 1, int((scores > 0).sum()), unit="points of positive score", whole=True)
    generator = torch.Generator().manual_seed(seed)
    return torch.multinomial(scores.cpu().double(), count, replacement=False, generator=generator)


def pivoted_cholesky(features: Float[Tensor, "n k"], count: int, seed: int) -> Int[Tensor, " s"]:
    """Draw points by randomly pivoted Cholesky, each in proportion to the remaining diagonal.

    The kernel is ``phi phi'`` and is never formed: one column per point, ``O(n count (k + count))``.

    Source: Chen, Epperly, Tropp, Webber (2022), Algorithm 2.1.

    >>> len(pivoted_cholesky(torch.ones(5, 2), count=3, seed=0))  # a kernel of rank 1
    1
    """
    generator = torch.Generator().manual_seed(seed)
    features = features.double()
    diagonal = features.square().sum(1)
    floor = 1e-10 * diagonal.sum()
    factor = features.new_zeros(len(features), 0)
    chosen: list[int] = []
    while len(chosen) < count and diagonal.sum() > floor:
        pivot = int(torch.multinomial(diagonal.cpu(), 1, generator=generator))
        column = features @ features[pivot] - factor @ factor[pivot]
        factor = torch.cat([factor, (column / column[pivot].sqrt())[:, None]], 1)
        diagonal = (diagonal - factor[:, -1].square()).clamp(min=0)
        diagonal[pivot] = 0
        chosen.append(pivot)
    return torch.tensor(chosen)
