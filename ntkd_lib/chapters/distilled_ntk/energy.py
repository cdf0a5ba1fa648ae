"""Cells with images that are tuned to the tangent kernel, beside feature matching of equal work."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ntkd_lib.chapters.distilled_ntk.bench import Bench
from ntkd_lib.chapters.distilled_ntk.network import logits_of
from ntkd_lib.chapters.distilled_ntk.scoring import targets_of
from ntkd_lib.dntk.energy import captured_energy, gradient_features, maximise_energy, second_moments
from ntkd_lib.dntk.ledger import Work
from ntkd_lib.dntk.matching import distil_images
from ntkd_lib.dntk.selection import pivoted_cholesky
from ntkd_lib.dntk.stream import trace_features
from ntkd_lib.lab.cells import CellResult, Record
from ntkd_lib.lab.seeds import derive_seed
from ntkd_lib.ntk.sketches.sparse import SparseSketch

SIZE = 512  # features a class
SEEN, MADE = 4, 20  # of so many training images one is captured, and one made


def tune(arguments: Mapping[str, Any], needs: Mapping[str, Record]) -> CellResult:
    """Tune landmarks to capture energy, and match features with the same number of operations.

    Args:
        arguments: What `prepare` takes, ``label_ridge`` and ``steps``.

    Returns:
        Rows of `Scores`; ``captured``: share of the energy of a quarter of the training images by method;
        ``shares``: the same along the tuning; ``matching_steps``: steps of feature matching of equal work.
    """
    bench = Bench.open(arguments, needs["network"])
    seed, n = derive_seed("energy", arguments["seed"]), len(bench.setting.labels)
    sketch = SparseSketch(SIZE, seed=seed)
    seen = bench.setting.images[: n // SEEN]
    with bench.clock.measure():
        features = _sketched(bench, seen, sketch)
        rows = pivoted_cholesky(trace_features(features), n // MADE, seed).to(seen.device)
    before = {"sketch": bench.costs.jacobian(len(seen)).timed(bench.clock.seconds)}
    moments = second_moments(features)
    with bench.clock.measure():
        tuned = maximise_energy(bench.model, seen[rows], moments, sketch, arguments["steps"])
    work = _tuning_work(bench, len(rows), arguments["steps"]).timed(bench.clock.seconds)
    labels = bench.setting.labels[rows]
    _score(bench, "energy start", seen[rows], labels, before)
    _score(bench, "energy tuned", tuned.images, labels, {**before, "distillation of images": work})
    steps = matching_steps(bench, len(rows), (before["sketch"] + work).flop)
    matched = _matched(bench, arguments, steps)
    captured = {
        "energy start": tuned.shares[0],
        "energy tuned": tuned.shares[-1],
        "matched": captured_energy(_sketched(bench, matched, sketch), moments).item(),
    }
    return bench.scores.result(captured=captured, shares=tuned.shares, matching_steps=steps)


def matching_steps(bench: Bench, count: int, flop: float) -> int:
    """Give the steps of feature matching that take as many operations."""
    left = flop - bench.costs.passes(len(bench.setting.labels)).flop
    return max(1, round(left / bench.costs.distillation(count).flop))


def _sketched(bench: Bench, images: Tensor, sketch: SparseSketch) -> Tensor:
    with torch.no_grad():
        return gradient_features(bench.model, images, sketch)


def _tuning_work(bench: Bench, count: int, steps: int) -> Work:
    """Count two Jacobians a step, and the way back through the second: twice its work."""
    once = bench.costs.jacobian(count)
    return (once + once + Work(flop=2 * once.flop)).times(steps)


def _matched(bench: Bench, arguments: Mapping[str, Any], steps: int) -> Tensor:
    setting = bench.setting
    with bench.clock.measure():
        made = distil_images(
            bench.model,
            setting.images,
            setting.labels,
            per_class=max(1, len(setting.labels) // (MADE * bench.costs.classes)),
            steps=steps,
            seed=arguments["seed"],
        )
    work = bench.costs.passes(len(setting.labels)) + bench.costs.distillation(len(made.images) * steps)
    before = {"distillation of images": work.timed(bench.clock.seconds)}
    _score(bench, "matched", made.images, made.labels, before)
    return made.images


def _score(bench: Bench, method: str, images: Tensor, labels: Tensor, before: Mapping[str, Work]) -> None:
    targets = targets_of(logits_of(bench.model, images), labels)
    bench.regress(method, images, targets, before)
