"""A streamed kernel: one pass of sketched gradients over all training images."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ntkd_lib.chapters.distilled.work import Comparison, ImageSource
from ntkd_lib.dntk.costs import solution
from ntkd_lib.dntk.ledger import Cost, Ledger
from ntkd_lib.dntk.selection import pivoted_cholesky, sample_by
from ntkd_lib.dntk.stream import FrequentDirections, StreamedRegression, spectral_error
from ntkd_lib.lab import CellResult, Record, derive_seed
from ntkd_lib.lab.work import Data, work
from ntkd_lib.ntk.kinds import contract
from ntkd_lib.ntk.sketches.kronecker import KroneckerSketch
from ntkd_lib.ntk.sketches.stream import join_classes, sketched_batches

CHUNK, DIRECTIONS, LANDMARKS, CERTIFIED = 250, 64, 100, 200
LEVERAGE = 1e-3  # ridge of leverage scores as a share of the mean diagonal


@work(cost=lambda **_: 10)
def streamed(
    data: Data, seed: int, *, source: ImageSource, label_ridge: float, sketch: int, network: Record
) -> CellResult:
    """Run regression on sketched gradients of `sketch` features per class, and choose landmarks by them."""
    comparison = Comparison.open(data, seed, source, network, label_ridge)
    random_signs = KroneckerSketch(sketch, seed=derive_seed("sketch", seed))
    regression = StreamedRegression(comparison.costs.classes, sketch, comparison.device)
    targets = torch.stack(list(comparison.targets.values()), 2)
    merged, first = [], []
    with comparison.stopwatch.measure():
        batches = sketched_batches(comparison.model, comparison.split.images, random_signs, CHUNK)
        for features, part in zip(batches, targets.split(CHUNK), strict=True):
            regression.add(features, part)
            merged.append(join_classes(features))
            first = first or [features[:CERTIFIED]]
    passed = _pass_cost(comparison, sketch).timed(comparison.stopwatch.seconds)
    _score_regression(comparison, regression, random_signs, passed)
    traces = torch.cat(merged)
    _landmarks(comparison, traces, passed, derive_seed("landmarks", seed))
    return comparison.scores.result(**_certificate(comparison, first[0]), directions=_directions(traces))


def _pass_cost(comparison: Comparison, size: int) -> Cost:
    """Count one pass: Jacobian rows, one random product for each weight used, and second moments."""
    n, c, costs = len(comparison.split.labels), comparison.costs.classes, comparison.costs
    sketched = Cost(flop=2 * n * c * costs.parameters, bytes=4 * CHUNK * c * size)
    moments = Cost(flop=2 * n * c * size**2, bytes=8 * c * size**2)
    return costs.jacobian(n) + sketched + moments


def _score_regression(
    comparison: Comparison, regression: StreamedRegression, sketch: KroneckerSketch, passed: Cost
) -> None:
    with comparison.stopwatch.measure():
        weights = regression.solve(comparison.ridges[name] for name in comparison.targets)
    c, size = comparison.costs.classes, sketch.size
    solved = solution(size, c).timed(comparison.stopwatch.seconds / len(comparison.targets))
    tests = comparison.split.test_images
    with comparison.stopwatch.measure():
        parts = [
            torch.einsum("nck,ckq->ncq", part.double(), weights)
            for part in sketched_batches(comparison.model, tests, sketch, CHUNK)
        ]
    predictions = torch.cat(parts)
    query = comparison.costs.jacobian(1) + Cost(flop=2 * c * (comparison.costs.parameters + size))
    ledger = Ledger(
        {"sketch": passed, "regression": solved}, query.timed(comparison.stopwatch.seconds / len(tests))
    )
    predictions_by_target = {name: predictions[:, :, i] for i, name in enumerate(comparison.targets)}
    comparison.scores.add("streamed", len(comparison.split.labels), predictions_by_target, ledger)


def _landmarks(comparison: Comparison, traces: Float[Tensor, "n k"], passed: Cost, seed: int) -> None:
    """Compute exact kernels of landmarks that sketched gradients choose."""
    scores = leverage_of(traces)
    chosen = {
        "sketch pivoted": pivoted_cholesky(traces, LANDMARKS, seed),
        "sketch leverage": sample_by(scores, min(LANDMARKS, len(traces)), seed),
    }
    for method, rows in chosen.items():
        comparison.regress(method, *comparison.select(rows), {"sketch": passed})


def leverage_of(features: Float[Tensor, "n k"], ridge: float = LEVERAGE) -> Float[Tensor, " n"]:
    """Compute ridge leverage scores, ``phi (phi' phi + ridge t I)^-1 phi'``, in ``O(n k^2)``."""
    features = features.double()
    moments = features.T @ features
    shift = ridge * moments.diagonal().sum() / len(features)
    return (
        features * torch.linalg.solve(moments + shift * torch.eye(len(moments)).to(moments), features.T).T
    ).sum(1)


def _certificate(comparison: Comparison, features: Float[Tensor, "m c k"]) -> dict[str, Any]:
    """Compare the sketched kernel of some images with the exact one."""
    exact = comparison.kernel(comparison.split.images[: len(features)])
    sketched = contract(features, features, "per_class")
    errors = {name: spectral_error(exact, sketched, ridge) for name, ridge in comparison.ridges.items()}
    return {"certificate": errors, "frobenius": ((sketched - exact).norm() / exact.norm()).item()}


def _directions(traces: Float[Tensor, "n k"]) -> dict[str, float]:
    """Run Frequent Directions over the merged features and compare its error with its bound."""
    directions = FrequentDirections(DIRECTIONS, traces.shape[1], traces.device)
    for part in traces.split(CHUNK):
        directions.add(part)
    rows = traces.double()
    exact = rows.T @ rows
    values = torch.linalg.eigvalsh(exact).flip(0).clamp(min=0)
    left = directions.sketch()
    error = torch.linalg.matrix_norm(exact - left.T @ left, ord=2)
    tails = values.sum() - torch.cat([values.new_zeros(1), values.cumsum(0)])[:DIRECTIONS]
    bound = (tails / (DIRECTIONS - torch.arange(DIRECTIONS).to(values))).min()
    return {"error": (error / values.sum()).item(), "bound": (bound / values.sum()).item()}
