"""Stage 3 of the pipeline: synthetic gradients against alternatives on the same points."""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from ntkd_lib.chapters.distilled.work import Comparison, ImageSource, Targets, to_numpy
from ntkd_lib.dntk import Cost, Ledger, reduce_kernel
from ntkd_lib.dntk.costs import eigenproblem, solution
from ntkd_lib.dntk.gradients import CLUSTERS, cluster_points, distinct, leading_eigenvectors, local_global
from ntkd_lib.dntk.selection import cluster_centres, farthest_points, leverage_scores, sample_by
from ntkd_lib.lab import CellResult, Record, derive_seed
from ntkd_lib.lab.work import Data, work

COUNTS = (5, 10, 20, 40)
ENERGIES = (0.8, 0.85, 0.9, 0.95, 0.99)
SELECTIONS = ("farthest points", "cluster centres", "leverage", "random of support")


@work(cost=lambda **_: 5)
def synthetic(
    data: Data, seed: int, *, source: ImageSource, label_ridge: float, network: Record, images: Record
) -> CellResult:
    """Reduce the kernels of the distilled images to a few synthetic gradients, in several ways."""
    comparison = Comparison.open(data, seed, source, network, label_ridge)
    support, targets = comparison.support(images)
    kernels, (seconds, per_query) = comparison.time_kernels(support)
    count, costs = len(support), comparison.costs
    kernel = (costs.jacobian(count) + costs.kernel(count)).timed(seconds)
    built = {**comparison.distillation(images), "tangent kernel": kernel}
    return reduce_support(comparison, kernels, targets, Ledger(built, Cost(seconds=per_query)), seed)


def reduce_support(
    comparison: Comparison, kernels: tuple[Tensor, Tensor], targets: Targets, before: Ledger, seed: int
) -> CellResult:
    """Reduce the kernels of a support to synthetic gradients and to selected points, and score all."""
    count, built, query = len(kernels[0][0]), dict(before.build), before.query
    mean = kernels[0].double().mean(0)
    with comparison.stopwatch.measure():
        groups = cluster_points(mean, seed=seed)
        candidates = local_global(mean, groups)
    clusters = int(groups.max()) + 1
    parts = eigenproblem(count, 2) + eigenproblem(count / clusters, clusters)
    built["decomposition"] = parts.timed(comparison.stopwatch.seconds)
    values, vectors = leading_eigenvectors(mean)
    for method, weights in _synthetic(candidates.vectors, vectors):
        _score(comparison, method, weights, kernels, targets, Ledger(built, query))
    selected = {name: cost for name, cost in built.items() if name != "decomposition"}
    for method, rows in _select_points(mean, derive_seed("selection", seed)):
        unit = torch.eye(count).to(mean)[:, rows]
        _score(comparison, method, unit, kernels, targets, Ledger(selected, query))
    weights = distinct(candidates.vectors, COUNTS[-1])
    spectra = {"eigenvalues": values, "reduced": torch.linalg.eigvalsh(weights.T @ mean @ weights).flip(0)}
    return comparison.scores.result(
        {name: to_numpy(each.clamp(min=0) / values.sum()) for name, each in spectra.items()},
        clusters=clusters,
        uncovered=100 * candidates.uncovered,
        gap=100 * candidates.gap,
        uncovered_curve=_uncovered_curve(mean, seed),
        local_share=candidates.local.double().mean().item(),
    )


def _uncovered_curve(mean: Tensor, seed: int) -> list[dict[str, float]]:
    groups = {h: cluster_points(mean, (h,), seed) for h in CLUSTERS if 2 * h <= len(mean)}
    return [
        {"clusters": h, "energy": e, "uncovered": 100 * local_global(mean, group, energy=e).uncovered}
        for h, group in groups.items()
        for e in ENERGIES
    ]


def _synthetic(local: Tensor, vectors: Tensor) -> Iterator[tuple[str, Float[Tensor, "m s"]]]:
    for count in COUNTS:
        yield "local-global", distinct(local, count)
        yield "global top", vectors[:, :count]


def _select_points(mean: Tensor, seed: int) -> Iterator[tuple[str, Tensor]]:
    scores = leverage_scores(mean)
    for count in COUNTS:
        yield "farthest points", farthest_points(mean, count)
        yield "cluster centres", cluster_centres(mean, count, seed)
        yield "leverage", sample_by(scores, count, seed)
        yield "random of support", sample_by(torch.ones(len(mean)), count, seed)


def _score(
    comparison: Comparison,
    method: str,
    weights: Float[Tensor, "m s"],
    kernels: tuple[Tensor, Tensor],
    targets: Targets,
    before: Ledger,
) -> None:
    """Run regression on synthetic gradients; a query's seconds are those of the kernel with all points."""
    theta, cross = kernels
    weights, count = weights.double(), weights.shape[1]
    with comparison.stopwatch.measure():
        small, small_cross = reduce_kernel(theta, weights), cross.double() @ weights
        synthetic_targets = {name: weights.T @ values for name, values in targets.items()}
        predictions = comparison.predict_by(small, small_cross, synthetic_targets)
    costs, c, m = comparison.costs, len(theta), len(weights)
    solved = solution(count, c) + Cost(flop=2 * c * m * count * (m + count))
    # A query takes the test image's Jacobian and its inner products with synthetic gradients, kept whole.
    query = costs.jacobian(1) + costs.gram(1, count, costs.parameters)
    query += before.query + Cost(bytes=4 * c * count * costs.parameters)
    stages = {**before.build, "regression": solved.timed(comparison.stopwatch.seconds / len(targets))}
    comparison.scores.add(method, count, predictions, Ledger(stages, query))
