"""Images tuned to the tangent kernel, and feature matching of equal work."""

from collections.abc import Mapping

import torch
from torch import Tensor

from ntkd_lib.chapters.distilled.work import Comparison, ImageSource, logits_of, targets_of
from ntkd_lib.dntk import Cost, distil_images, pivoted_cholesky
from ntkd_lib.dntk.energy import captured_energy, gradient_features, maximise_energy, second_moments
from ntkd_lib.lab import CellResult, Record, derive_seed
from ntkd_lib.lab.work import Data, work
from ntkd_lib.ntk.sketches.sparse import SparseSketch
from ntkd_lib.ntk.sketches.stream import join_classes

SIZE = 512  # features per class
CAPTURED, SUPPORT = 4, 20  # of so many training images one is captured, and one is in the support


@work(cost=lambda **_: 20)
def tuned_images(
    data: Data, seed: int, *, source: ImageSource, label_ridge: float, steps: int, network: Record
) -> CellResult:
    """Tune landmarks to capture energy, and match features with the same number of operations."""
    comparison = Comparison.open(data, seed, source, network, label_ridge)
    number, n = derive_seed("energy", seed), len(comparison.split.labels)
    sketch = SparseSketch(SIZE, seed=number)
    images = comparison.split.images[: n // CAPTURED]
    with comparison.stopwatch.measure():
        features = _sketch_gradients(comparison, images, sketch)
        rows = pivoted_cholesky(join_classes(features), n // SUPPORT, number).to(images.device)
    before = {"sketch": comparison.costs.jacobian(len(images)).timed(comparison.stopwatch.seconds)}
    moments = second_moments(features)
    with comparison.stopwatch.measure():
        tuned = maximise_energy(comparison.model, images[rows], moments, sketch, steps)
    once = comparison.costs.jacobian(len(rows))
    # a step takes two Jacobians, and the way back through the second: twice its work
    cost = (once + once + Cost(flop=2 * once.flop)).times(steps).timed(comparison.stopwatch.seconds)
    labels = comparison.split.labels[rows]
    _score(comparison, "energy start", images[rows], labels, before)
    _score(comparison, "energy tuned", tuned.images, labels, {**before, "distillation of images": cost})
    equal = matching_steps(comparison, len(rows), (before["sketch"] + cost).flop)
    matched = _match_features(comparison, seed, equal)
    captured = {
        "energy start": tuned.shares[0],
        "energy tuned": tuned.shares[-1],
        "matched": captured_energy(_sketch_gradients(comparison, matched, sketch), moments).item(),
    }
    return comparison.scores.result(captured=captured, shares=tuned.shares, matching_steps=equal)


def matching_steps(comparison: Comparison, count: int, flop: float) -> int:
    """Compute the steps of feature matching that take as many operations."""
    left = flop - comparison.costs.passes(len(comparison.split.labels)).flop
    return max(1, round(left / comparison.costs.distillation(count).flop))


def _sketch_gradients(comparison: Comparison, images: Tensor, sketch: SparseSketch) -> Tensor:
    with torch.no_grad():
        return gradient_features(comparison.model, images, sketch)


def _match_features(comparison: Comparison, seed: int, steps: int) -> Tensor:
    split, costs = comparison.split, comparison.costs
    with comparison.stopwatch.measure():
        size = max(1, len(split.labels) // (SUPPORT * costs.classes))
        sources = (comparison.model, split.images, split.labels)
        distilled = distil_images(*sources, per_class=size, steps=steps, seed=seed)
    cost = costs.passes(len(split.labels)) + costs.distillation(len(distilled.images) * steps)
    before = {"distillation of images": cost.timed(comparison.stopwatch.seconds)}
    _score(comparison, "matched", distilled.images, distilled.labels, before)
    return distilled.images


def _score(
    comparison: Comparison, method: str, images: Tensor, labels: Tensor, before: Mapping[str, Cost]
) -> None:
    targets = targets_of(logits_of(comparison.model, images), labels)
    comparison.regress(method, images, targets, before)
