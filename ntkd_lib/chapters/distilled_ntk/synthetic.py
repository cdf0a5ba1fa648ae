"""Cells with stage 3 of the pipeline, and what is to be compared with it on the same points."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ntkd_lib.chapters.distilled_ntk.bench import Bench
from ntkd_lib.chapters.distilled_ntk.images import restore_images
from ntkd_lib.chapters.distilled_ntk.network import logits_of
from ntkd_lib.chapters.distilled_ntk.points import distillation_work
from ntkd_lib.chapters.distilled_ntk.scoring import targets_of, to_numpy
from ntkd_lib.dntk.costs import eigenproblem, solution
from ntkd_lib.dntk.gradients import cluster_points, distinct, leading_eigenvectors, local_global
from ntkd_lib.dntk.ledger import Ledger, Work
from ntkd_lib.dntk.regression import fit_per_class, predict_per_class, reduce_kernel
from ntkd_lib.dntk.selection import cluster_centres, farthest_points, leverage_scores, sample_by
from ntkd_lib.lab.cells import CellResult, Record
from ntkd_lib.lab.seeds import derive_seed

COUNTS = (5, 10, 20, 40)
SELECTIONS = ("farthest points", "cluster centres", "leverage", "random of support")


def reduce(arguments: Mapping[str, Any], needs: Mapping[str, Record]) -> CellResult:
    """Reduce the kernels of the distilled images to a few synthetic gradients, in several ways.

    Args:
        arguments: What `prepare` takes, and ``distil_steps``.
        needs: ``network`` and ``many``: distilled images.

    Returns:
        Rows of `Scores`; number of clusters, uncovered and gap share of the trace, rank of the mean kernel;
        ``eigenvalues`` of the mean kernel and of the reduced one, as shares of the trace.
    """
    bench = Bench.open(arguments, needs["network"])
    images, labels = restore_images(needs["many"], bench.device)
    targets = targets_of(logits_of(bench.model, images), labels)
    with bench.clock.measure():
        theta = bench.kernel(images)
    count, costs = len(images), bench.costs
    built = {
        "distillation of images": distillation_work(bench, count, arguments["distil_steps"], needs["many"]),
        "tangent kernel": (costs.jacobian(count) + costs.kernel(count)).timed(bench.clock.seconds),
    }
    with bench.clock.measure():
        cross = bench.kernel(bench.setting.test_images, images)
    asked = bench.clock.seconds / len(bench.setting.test_images)
    mean = theta.double().mean(0)
    with bench.clock.measure():
        groups = cluster_points(mean, seed=arguments["seed"])
        candidates = local_global(mean, groups)
    clusters = int(groups.max()) + 1
    parts = eigenproblem(count, 2) + eigenproblem(count / clusters, clusters)
    built["decomposition"] = parts.timed(bench.clock.seconds)
    values, vectors = leading_eigenvectors(mean)
    for method, found in _synthetic(candidates.vectors, vectors):
        _score(bench, method, found, (theta, cross), targets, Ledger(built, Work(seconds=asked)))
    selected = {name: work for name, work in built.items() if name != "decomposition"}
    for method, rows in _selected(mean, derive_seed("selection", arguments["seed"])):
        unit = torch.eye(count).to(mean)[:, rows]
        _score(bench, method, unit, (theta, cross), targets, Ledger(selected, Work(seconds=asked)))
    return bench.scores.result(
        clusters=clusters,
        uncovered=100 * candidates.uncovered,
        gap=100 * candidates.gap,
        local_share=candidates.local.double().mean().item(),
        eigenvalues=to_numpy(values.clamp(min=0) / values.sum()),
        reduced=to_numpy(_reduced_shares(mean, distinct(candidates.vectors, COUNTS[-1]), values)),
    )


def _synthetic(local: Tensor, vectors: Tensor) -> Iterator[tuple[str, Float[Tensor, "m s"]]]:
    for count in COUNTS:
        yield "local-global", distinct(local, count)
        yield "global top", vectors[:, :count]


def _selected(mean: Tensor, seed: int) -> Iterator[tuple[str, Tensor]]:
    scores = leverage_scores(mean)
    for count in COUNTS:
        yield "farthest points", farthest_points(mean, count)
        yield "cluster centres", cluster_centres(mean, count, seed)
        yield "leverage", sample_by(scores, count, seed)
        yield "random of support", sample_by(torch.ones(len(mean)), count, seed)


def _score(
    bench: Bench,
    method: str,
    weights: Float[Tensor, "m s"],
    kernels: tuple[Tensor, Tensor],
    targets: Mapping[str, Tensor],
    before: Ledger,
) -> None:
    """Run regression on synthetic gradients, whose targets are the same sums of the points' targets.

    Seconds of a query are those of the kernel with all points, from which the synthetic gradients' is summed.
    """
    theta, cross = kernels
    weights, count = weights.double(), weights.shape[1]
    with bench.clock.measure():
        small, seen = reduce_kernel(theta, weights), cross.double() @ weights
        found = bench.fitted(
            {name: weights.T @ values for name, values in targets.items()},
            lambda y, ridge: predict_per_class(seen, fit_per_class(small, y, ridge)),
        )
    costs, c, m = bench.costs, len(theta), len(weights)
    solved = solution(count, c) + Work(flop=2 * c * m * count * (m + count))
    # A query takes the test image's Jacobian and its inner products with synthetic gradients, kept whole.
    query = costs.jacobian(1) + costs.gram(1, count, costs.parameters)
    query += before.query + Work(bytes=4 * c * count * costs.parameters)
    stages = {**before.build, "regression": solved.timed(bench.clock.seconds / len(targets))}
    bench.scores.add(method, count, found, Ledger(stages, query))


def _reduced_shares(mean: Tensor, weights: Tensor, values: Tensor) -> Tensor:
    reduced = torch.linalg.eigvalsh(weights.T @ mean @ weights).flip(0)
    return reduced.clamp(min=0) / values.sum()
