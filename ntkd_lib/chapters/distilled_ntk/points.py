"""Cells with methods that need fewer points, or cheaper kernels of them."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ntkd_lib.chapters.distilled_ntk.bench import Bench
from ntkd_lib.chapters.distilled_ntk.images import restore_images
from ntkd_lib.chapters.distilled_ntk.network import logits_of
from ntkd_lib.chapters.distilled_ntk.scoring import shared, targets_of
from ntkd_lib.dntk.costs import network_costs, solution
from ntkd_lib.dntk.ledger import Ledger, Work
from ntkd_lib.dntk.matching import last_inputs
from ntkd_lib.dntk.regression import fit_nystrom, predict_per_class
from ntkd_lib.dntk.selection import pivoted_cholesky
from ntkd_lib.lab.cells import CellResult, Record
from ntkd_lib.lab.seeds import derive_seed

RANDOM = (25, 50, 100, 200, 500, 1000)
LANDMARKS = (50, 100, 200)
PSEUDO = (100, 500, 1000, 2000)
LAST = (50, 100, 200, 2000)
STRUCTURE = 300  # test images whose kernel is rebuilt from the support


def compare(arguments: Mapping[str, Any], needs: Mapping[str, Record]) -> CellResult:
    """Run random and chosen real points, distilled images, Nystrom, pseudo and last-layer kernels.

    Args:
        arguments: What `prepare` takes, and ``distil_steps``.
        needs: ``network``, ``few`` and ``many``: distilled images.

    Returns:
        Rows of `Scores`; ``structure``: cosine between the centred kernel of test images and what is rebuilt
        from a support, mean over classes, by method and size.
    """
    bench = Bench.open(arguments, needs["network"])
    seed = derive_seed("points", arguments["seed"])
    order = torch.randperm(len(bench.setting.labels), generator=torch.Generator().manual_seed(seed))
    exact = bench.kernel(bench.setting.test_images[:STRUCTURE])
    structure = _real_points(bench, order, exact) | _distilled(bench, arguments, needs, exact)
    chosen = _last_layer(bench, order, seed)
    for size in _sizes(LANDMARKS, chosen):
        images, targets = bench.some(chosen[:size])
        before = {"choice of points": bench.costs.passes(len(order))}
        bench.regress("pivoted", images, targets, before)
    _nystrom(bench, order)
    _pseudo(bench, order)
    return bench.scores.result(structure=structure)


def _real_points(bench: Bench, order: Tensor, exact: Tensor) -> dict[str, float]:
    structure = {}
    for size in _sizes(RANDOM, order):
        theta, cross = bench.regress("random", *bench.some(order[:size]))
        structure[f"random/{size}"] = _cosine(theta, cross, exact)
    balanced = torch.cat(
        [order[(bench.setting.labels.cpu()[order] == c)][:10] for c in range(bench.costs.classes)]
    )
    theta, cross = bench.regress("balanced", *bench.some(balanced))
    structure[f"balanced/{len(balanced)}"] = _cosine(theta, cross, exact)
    return structure


def _distilled(
    bench: Bench, arguments: Mapping[str, Any], needs: Mapping[str, Record], exact: Tensor
) -> dict[str, float]:
    structure = {}
    for record in (needs["few"], needs["many"]):
        images, labels = restore_images(record, bench.device)
        targets = targets_of(logits_of(bench.model, images), labels)
        work = distillation_work(bench, len(images), arguments["distil_steps"], record)
        theta, cross = bench.regress("distilled", images, targets, {"distillation of images": work})
        structure[f"distilled/{len(images)}"] = _cosine(theta, cross, exact)
    return structure


def distillation_work(bench: Bench, count: int, steps: int, record: Record) -> Work:
    """Count what distilled images took."""
    work = bench.costs.passes(len(bench.setting.labels)) + bench.costs.distillation(count * steps)
    return work.timed(record.values["seconds"])


def _nystrom(bench: Bench, order: Tensor) -> None:
    """Fit all points with functions of random landmarks; all sizes share one computed kernel."""
    sizes = _sizes(LANDMARKS, order)
    landmarks, _ = bench.some(order[: sizes[-1]])
    with bench.clock.measure():
        whole = bench.kernel(bench.setting.images, landmarks)
    seconds, n = bench.clock.seconds, len(order)
    cross = bench.kernel(bench.setting.test_images, landmarks)
    for size in sizes:
        part, rows = whole[:, :, :size], order[:size].to(whole.device)
        with bench.clock.measure():
            found = bench.fitted(
                bench.targets,
                lambda y, ridge, part=part, rows=rows, size=size: predict_per_class(
                    cross[:, :, :size], fit_nystrom(part, part[:, rows], y, ridge)
                ),
            )
        c = bench.costs.classes
        solved = solution(size, c) + Work(flop=2 * c * n * size**2)
        stages = {
            "tangent kernel": (bench.costs.jacobian(n) + bench.costs.kernel(n, size)).timed(seconds),
            "regression": solved.timed(bench.clock.seconds / len(bench.targets)),
        }
        query = bench.costs.jacobian(1) + bench.costs.kernel(1, size)
        bench.scores.add("nystrom", size, found, Ledger(stages, query.timed(seconds / n)))


def _pseudo(bench: Bench, order: Tensor) -> None:
    """Run the kernel of the sum of logits: one Jacobian row an image."""
    costs, tests = network_costs(bench.model, bench.setting.images[:1], "pseudo"), bench.setting.test_images
    for size in _sizes(PSEUDO, order):
        images, targets = bench.some(order[:size])
        with bench.clock.measure():
            theta = bench.kernel(images, kind="pseudo")
        built = (costs.jacobian(size) + costs.kernel(size)).timed(bench.clock.seconds)
        with bench.clock.measure():
            cross = bench.kernel(tests, images, kind="pseudo")
        query = (costs.jacobian(1) + costs.kernel(1, size)).timed(bench.clock.seconds / len(tests))
        with bench.clock.measure():
            found = bench.fitted(targets, lambda y, r, theta=theta, cross=cross: shared(theta, cross, y, r))
        solved = solution(size).timed(bench.clock.seconds / len(targets))
        ledger = Ledger({"tangent kernel": built, "regression": solved}, query)
        bench.scores.add("pseudo", size, found, ledger)


def _last_layer(bench: Bench, order: Tensor, seed: int) -> Tensor:
    """Run the last layer's kernel, which takes forward passes alone, and choose points by it."""
    with bench.clock.measure():
        features = last_inputs(bench.model, bench.setting.images)
    forward = bench.clock.seconds / len(order)
    tests = last_inputs(bench.model, bench.setting.test_images)
    width = features.shape[1]
    for size in _sizes(LAST, order):
        rows = order[:size].to(features.device)
        _, targets = bench.some(rows)
        with bench.clock.measure():
            theta, cross = features[rows] @ features[rows].T, tests @ features[rows].T
            found = bench.fitted(targets, lambda y, r, theta=theta, cross=cross: shared(theta, cross, y, r))
        solved = (solution(size) + bench.costs.gram(size, None, width, 1)).timed(bench.clock.seconds / 2)
        stages = {"forward passes": bench.costs.passes(size).timed(forward * size), "regression": solved}
        query = (bench.costs.passes(1) + bench.costs.gram(1, size, width, 1)).timed(forward)
        bench.scores.add("last layer", size, found, Ledger(stages, query))
    return pivoted_cholesky(features, max(LANDMARKS), seed)


def _cosine(theta: Tensor, cross: Tensor, exact: Tensor) -> float:
    """Compare the centred kernel of test images with its Nystrom reconstruction, mean over classes."""
    scale = theta.diagonal(dim1=1, dim2=2).double().mean(1)
    eye = torch.eye(theta.shape[1]).to(scale)
    some = cross[:, : exact.shape[1]].double()
    rebuilt = some @ torch.linalg.solve(theta.double() + 1e-8 * scale[:, None, None] * eye, some.mT)
    one, other = (_centred(k.double()).flatten(1) for k in (rebuilt, exact))
    return torch.nn.functional.cosine_similarity(one, other).mean().item()


def _centred(theta: Tensor) -> Tensor:
    return (
        theta - theta.mean(1, keepdim=True) - theta.mean(2, keepdim=True) + theta.mean((1, 2), keepdim=True)
    )


def _sizes(wanted: tuple[int, ...], available: Tensor) -> list[int]:
    """Give the wanted sizes as far as there are points, and at most all points."""
    return sorted({min(size, len(available)) for size in wanted})
