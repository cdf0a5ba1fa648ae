"""Cells with the streamed kernel: one pass of sketched gradients over all training images."""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ntkd_lib.chapters.distilled_ntk.bench import Bench
from ntkd_lib.dntk.costs import solution
from ntkd_lib.dntk.ledger import Ledger, Work
from ntkd_lib.dntk.selection import pivoted_cholesky, sample_by
from ntkd_lib.dntk.stream import FrequentDirections, StreamedRegression, spectral_error, trace_features
from ntkd_lib.lab.cells import CellResult, Record
from ntkd_lib.lab.seeds import derive_seed
from ntkd_lib.ntk.kinds import contract
from ntkd_lib.ntk.sketches.kronecker import KroneckerSketch
from ntkd_lib.ntk.sketches.stream import sketched_batches

CHUNK, KEPT, LANDMARKS, CERTIFIED = 250, 64, 100, 200
LEVERAGE = 1e-3  # ridge of leverage scores as a share of the mean diagonal


def stream(arguments: Mapping[str, Any], needs: Mapping[str, Record]) -> CellResult:
    """Run regression on sketched gradients, and choose landmarks by them.

    Args:
        arguments: What `prepare` takes, and ``sketch``: features a class.

    Returns:
        Rows of `Scores`; ``certificate``: largest eigenvalue error over the ridge, by target; ``frobenius``:
        relative error; ``directions``: error of Frequent Directions and its bound, as shares of the trace.
    """
    bench = Bench.open(arguments, needs["network"])
    sketch = KroneckerSketch(arguments["sketch"], seed=derive_seed("sketch", arguments["seed"]))
    regression = StreamedRegression(bench.costs.classes, sketch.size, bench.device)
    targets = torch.stack(list(bench.targets.values()), 2)
    merged, first = [], []
    with bench.clock.measure():
        batches = sketched_batches(bench.model, bench.setting.images, sketch, CHUNK)
        for features, part in zip(batches, targets.split(CHUNK), strict=True):
            regression.add(features, part)
            merged.append(trace_features(features))
            first = first or [features[:CERTIFIED]]
    passed = _pass_work(bench, sketch.size).timed(bench.clock.seconds)
    _score_regression(bench, regression, sketch, passed)
    traces = torch.cat(merged)
    _landmarks(bench, traces, passed, derive_seed("landmarks", arguments["seed"]))
    return bench.scores.result(
        **_certificate(bench, first[0]), directions=_directions(traces), sketch=sketch.size
    )


def _pass_work(bench: Bench, size: int) -> Work:
    """Count one pass: Jacobian rows, one random product for each weight used, and second moments."""
    n, c, costs = len(bench.setting.labels), bench.costs.classes, bench.costs
    sketched = Work(flop=2 * n * c * costs.parameters, bytes=4 * CHUNK * c * size)
    moments = Work(flop=2 * n * c * size**2, bytes=8 * c * size**2)
    return costs.jacobian(n) + sketched + moments


def _score_regression(
    bench: Bench, regression: StreamedRegression, sketch: KroneckerSketch, passed: Work
) -> None:
    with bench.clock.measure():
        weights = regression.solve(bench.ridges[name] for name in bench.targets)
    c, size = bench.costs.classes, sketch.size
    solved = solution(size, c).timed(bench.clock.seconds / len(bench.targets))
    tests = bench.setting.test_images
    with bench.clock.measure():
        parts = [
            torch.einsum("nck,ckq->ncq", part.double(), weights)
            for part in sketched_batches(bench.model, tests, sketch, CHUNK)
        ]
    predictions = torch.cat(parts)
    query = bench.costs.jacobian(1) + Work(flop=2 * c * (bench.costs.parameters + size))
    ledger = Ledger({"sketch": passed, "regression": solved}, query.timed(bench.clock.seconds / len(tests)))
    found = {name: predictions[:, :, i] for i, name in enumerate(bench.targets)}
    bench.scores.add("streamed", len(bench.setting.labels), found, ledger)


def _landmarks(bench: Bench, traces: Float[Tensor, "n k"], passed: Work, seed: int) -> None:
    """Compute exact kernels of landmarks that sketched gradients choose."""
    scores = leverage_of(traces)
    chosen = {
        "sketch pivoted": pivoted_cholesky(traces, LANDMARKS, seed),
        "sketch leverage": sample_by(scores, min(LANDMARKS, len(traces)), seed),
    }
    for method, rows in chosen.items():
        bench.regress(method, *bench.some(rows), {"sketch": passed})


def leverage_of(features: Float[Tensor, "n k"], ridge: float = LEVERAGE) -> Float[Tensor, " n"]:
    """Give ridge leverage scores from features, ``phi (phi' phi + ridge t I)^-1 phi'``, in ``O(n k^2)``."""
    features = features.double()
    moments = features.T @ features
    shift = ridge * moments.diagonal().sum() / len(features)
    return (
        features * torch.linalg.solve(moments + shift * torch.eye(len(moments)).to(moments), features.T).T
    ).sum(1)


def _certificate(bench: Bench, features: Float[Tensor, "m c k"]) -> dict[str, Any]:
    """Hold the sketched kernel of some images against the exact one."""
    exact = bench.kernel(bench.setting.images[: len(features)])
    sketched = contract(features, features, "per_class")
    errors = {name: spectral_error(exact, sketched, ridge) for name, ridge in bench.ridges.items()}
    return {"certificate": errors, "frobenius": ((sketched - exact).norm() / exact.norm()).item()}


def _directions(traces: Float[Tensor, "n k"]) -> dict[str, float]:
    """Run Frequent Directions over the merged features and compare its error with its bound."""
    kept = FrequentDirections(KEPT, traces.shape[1], traces.device)
    for part in traces.split(CHUNK):
        kept.add(part)
    rows = traces.double()
    exact = rows.T @ rows
    values = torch.linalg.eigvalsh(exact).flip(0).clamp(min=0)
    left = kept.sketch()
    error = torch.linalg.matrix_norm(exact - left.T @ left, ord=2)
    tails = values.sum() - torch.cat([values.new_zeros(1), values.cumsum(0)])[:KEPT]
    bound = (tails / (KEPT - torch.arange(KEPT).to(values))).min()
    return {"error": (error / values.sum()).item(), "bound": (bound / values.sum()).item()}
