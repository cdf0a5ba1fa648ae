"""Methods with fewer points or cheaper kernels: real and distilled points, Nyström, pseudo, last layer."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor
from torch.nn.functional import cosine_similarity

from ntkd_lib.chapters.distilled.work import Comparison, ImageSource
from ntkd_lib.dntk import Cost, Ledger, fit_nystrom, pivoted_cholesky, predict_per_class
from ntkd_lib.dntk.costs import network_costs, solution
from ntkd_lib.dntk.matching import last_inputs
from ntkd_lib.lab import CellResult, Record, derive_seed
from ntkd_lib.lab.work import Data, work

RANDOM = (25, 50, 100, 200, 500, 1000)
LANDMARKS = (50, 100, 200)
PSEUDO = (100, 500, 1000, 2000)
LAST = (50, 100, 200, 2000)
STRUCTURE = 300  # test images whose kernel is rebuilt from the support


@work(cost=lambda **_: 30)
def points(
    data: Data, seed: int, *, source: ImageSource, label_ridge: float, network: Record, images: list[Record]
) -> CellResult:
    """Run random and chosen real points, distilled images, Nyström, pseudo and last-layer kernels."""
    comparison = Comparison.open(data, seed, source, network, label_ridge)
    seed = derive_seed("points", seed)
    order = torch.randperm(len(comparison.split.labels), generator=torch.Generator().manual_seed(seed))
    whole = comparison.kernel(comparison.split.test_images[:STRUCTURE])
    structure = {}
    for method, support, *more in _supports(comparison, order, images):
        kernels = comparison.regress(method, support, *more)
        structure[f"{method}/{len(support)}"] = kernel_cosine(*kernels, whole)
    chosen, seconds = _last_layer(comparison, order, seed)
    for size in _sizes(LANDMARKS, chosen):
        before = {"choice of points": comparison.costs.passes(len(order)).timed(seconds)}
        comparison.regress("pivoted", *comparison.select(chosen[:size]), before)
    _nystrom(comparison, order)
    _pseudo(comparison, order)
    return comparison.scores.result(structure=structure)


def _supports(comparison: Comparison, order: Tensor, distilled: list[Record]) -> Iterator[tuple[Any, ...]]:
    """List random, balanced and distilled images: method, images, targets, and costs before if there are."""
    for size in _sizes(RANDOM, order):
        yield "random", *comparison.select(order[:size])
    labels = comparison.split.labels.cpu()[order]
    balanced = torch.cat([order[labels == c][:10] for c in range(comparison.costs.classes)])
    yield "balanced", *comparison.select(balanced)
    for record in distilled:
        yield "distilled", *comparison.support(record), comparison.distillation(record)


def _nystrom(comparison: Comparison, order: Tensor) -> None:
    """Fit all points with functions of random landmarks; all sizes share one computed kernel."""
    sizes, costs, stopwatch = _sizes(LANDMARKS, order), comparison.costs, comparison.stopwatch
    landmarks, _ = comparison.select(order[: sizes[-1]])
    with stopwatch.measure():
        whole = comparison.kernel(comparison.split.images, landmarks)
    seconds, n = stopwatch.seconds, len(order)
    cross = comparison.kernel(comparison.split.test_images, landmarks)
    for size in sizes:
        part, tests, rows = whole[:, :, :size], cross[:, :, :size], order[:size].to(whole.device)

        def guess(y: Tensor, ridge: float, part: Tensor = part, own: Tensor = part[:, rows]) -> Tensor:
            return predict_per_class(tests, fit_nystrom(part, own, y, ridge))  # noqa: B023

        with stopwatch.measure():
            predictions = comparison.predict(comparison.targets, guess)
        solved = solution(size, costs.classes) + Cost(flop=2 * costs.classes * n * size**2)
        stages = {
            "tangent kernel": (costs.jacobian(n) + costs.kernel(n, size)).timed(seconds),
            "regression": solved.timed(stopwatch.seconds / len(comparison.targets)),
        }
        query = costs.jacobian(1) + costs.kernel(1, size)
        comparison.scores.add("nystrom", size, predictions, Ledger(stages, query.timed(seconds / n)))


def _pseudo(comparison: Comparison, order: Tensor) -> None:
    """Run the kernel of the sum of logits: one Jacobian row per image."""
    costs = network_costs(comparison.model, comparison.split.images[:1], "pseudo")
    for size in _sizes(PSEUDO, order):
        part = comparison.select(order[:size])
        replace(comparison, costs=costs).regress("pseudo", *part, kind="pseudo")


def _last_layer(comparison: Comparison, order: Tensor, seed: int) -> tuple[Int[Tensor, " k"], float]:
    """Run the last layer's kernel, which takes forward passes alone; choose points by it, in some seconds."""
    costs, stopwatch = comparison.costs, comparison.stopwatch
    with stopwatch.measure():
        features = last_inputs(comparison.model, comparison.split.images)
    forward = stopwatch.seconds / len(order)
    tests = last_inputs(comparison.model, comparison.split.test_images)
    width = features.shape[1]
    for size in _sizes(LAST, order):
        rows = order[:size].to(features.device)
        _, targets = comparison.select(rows)
        with stopwatch.measure():
            theta, cross = features[rows] @ features[rows].T, tests @ features[rows].T
            predictions = comparison.predict_by(theta, cross, targets)
        solved = (solution(size) + costs.gram(size, None, width, 1)).timed(stopwatch.seconds / 2)
        stages = {"forward passes": costs.passes(size).timed(forward * size), "regression": solved}
        query = (costs.passes(1) + costs.gram(1, size, width, 1)).timed(forward)
        comparison.scores.add("last layer", size, predictions, Ledger(stages, query))
    with stopwatch.measure():
        chosen = pivoted_cholesky(features, max(LANDMARKS), seed)
    return chosen, stopwatch.seconds + forward * len(order)


def kernel_cosine(theta: Tensor, cross: Tensor, whole: Tensor) -> float:
    """Compare the centred kernel of test images with its Nyström reconstruction, mean over classes."""
    scale = theta.diagonal(dim1=1, dim2=2).double().mean(1)
    eye = torch.eye(theta.shape[1]).to(scale)
    part = cross[:, : whole.shape[1]].double()
    rebuilt = part @ torch.linalg.solve(theta.double() + 1e-8 * scale[:, None, None] * eye, part.mT)
    one, other = (_centre(k.double()).flatten(1) for k in (rebuilt, whole))
    return cosine_similarity(one, other).mean().item()


def _centre(theta: Tensor) -> Tensor:
    rows, columns = theta.mean(1, keepdim=True), theta.mean(2, keepdim=True)
    return theta - rows - columns + theta.mean((1, 2), keepdim=True)


def _sizes(sizes: tuple[int, ...], available: Tensor) -> list[int]:
    """Limit sizes to the number of points."""
    return sorted({min(size, len(available)) for size in sizes})
