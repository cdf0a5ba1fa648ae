"""The streamed kernel: equal to its dual, bounded subspaces, projections of the stated variance."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ntkd_lib.dntk.projection import GaussianProjection
from ntkd_lib.dntk.regression import fit_per_class, predict_per_class
from ntkd_lib.dntk.stream import FrequentDirections, StreamedRegression, spectral_error
from ntkd_lib.ntk.contraction import jacobian
from ntkd_lib.ntk.kinds import contract
from ntkd_lib.ntk.sketches.stream import join_classes, sketched_features

SEEDS = st.integers(0, 10_000)


def drawn(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@settings(max_examples=10, deadline=None, derandomize=True)
@given(SEEDS, st.integers(1, 9))
def test_streamed_regression_is_kernel_regression_whatever_the_chunks(seed: int, chunk: int) -> None:
    phi, new, targets = drawn(seed, 12, 2, 5), drawn(seed + 1, 4, 2, 5), drawn(seed + 2, 12, 2, 1)
    regression = StreamedRegression(2, 5)
    for part, wanted in zip(phi.split(chunk), targets.split(chunk), strict=True):
        regression.add(part, wanted)
    found = torch.einsum("nck,ckq->ncq", new, regression.solve([1e-2]))[:, :, 0]
    theta, cross = (contract(a, phi, "per_class") for a in (phi, new))
    expected = predict_per_class(cross, fit_per_class(theta, targets[:, :, 0], 1e-2))
    torch.testing.assert_close(found, expected, rtol=1e-7, atol=1e-9)


def test_moments_of_float32_features_are_exact() -> None:
    phi, targets = drawn(5, 400, 2, 6).float(), drawn(6, 400, 2, 1).float()
    phi = (3 + 1e-3 * phi).requires_grad_(False)  # nearly alike, so that rounding of moments shows
    single, double = StreamedRegression(2, 6), StreamedRegression(2, 6)
    for part, wanted in zip(phi.split(64), targets.split(64), strict=True):
        single.add(part, wanted)
        double.add(part.double(), wanted.double())
    assert torch.equal(single.moments, double.moments)
    exact = torch.einsum("nck,ncl->ckl", phi.double(), phi.double())
    torch.testing.assert_close(single.moments, exact, rtol=1e-13, atol=0)
    assert torch.equal(single.solve([1e-9]), double.solve([1e-9]))


@pytest.mark.parametrize("ridge", [0.0, -0.5, float("nan"), float("inf")])
def test_ridges_that_leave_moments_singular_are_refused(ridge: float) -> None:
    regression = StreamedRegression(2, 5)
    regression.add(drawn(7, 3, 2, 5).float(), drawn(8, 3, 2, 2).float())
    with pytest.raises(
        ValueError, match=r"^ridges: got .*, which leaves the moments singular; needs a larger"
    ):
        regression.solve([1e-2, ridge])
    weights = regression.solve([1e-2, 1.0])
    scale = regression.moments.diagonal(dim1=1, dim2=2).sum(1) / 3
    damped = regression.moments + (1e-2 * scale)[:, None, None] * torch.eye(5).double()
    torch.testing.assert_close(weights[:, :, 0], torch.linalg.solve(damped, regression.products[:, :, 0]))


def test_nothing_streamed_gives_no_weights() -> None:
    with pytest.raises(ValueError, match="solve: got no sample yet"):
        StreamedRegression(2, 5).solve([1e-2])


def test_each_target_has_its_own_ridge() -> None:
    phi, targets, ridges = drawn(3, 12, 2, 5), drawn(4, 12, 2, 3), (1e-3, 0.1, 10.0)
    together, alone = StreamedRegression(2, 5), StreamedRegression(2, 5)
    together.add(phi, targets)
    alone.add(phi, targets[:, :, 1:2])
    weights = together.solve(iter(ridges))
    torch.testing.assert_close(weights[:, :, 1:2], alone.solve([0.1]), rtol=1e-12, atol=0)
    for wrong in ([1e-3], [1e-3] * 4):
        with pytest.raises(ValueError, match=rf"^ridges: got {len(wrong)}, allowed: 3, one per target$"):
            together.solve(wrong)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(SEEDS, st.integers(2, 12), st.integers(1, 40))
def test_frequent_directions_keep_their_bound(seed: int, rows: int, count: int) -> None:
    stream = drawn(seed, count, 10) * torch.logspace(0, -2, 10, dtype=torch.float64)
    kept = FrequentDirections(rows, 10)
    for part in stream.split(3):
        kept.add(part)
    sketch = kept.sketch()
    assert sketch.shape == (rows, 10)
    missing = torch.linalg.eigvalsh(stream.T @ stream - sketch.T @ sketch)
    tail = torch.linalg.eigvalsh(stream.T @ stream).flip(0).clamp(min=0)
    bound = min(tail[r:].sum().item() / (rows - r) for r in range(min(rows, 10)))
    assert missing.min() >= -1e-9
    assert missing.max() <= bound + 1e-9


def test_few_rows_are_kept_exactly() -> None:
    stream = drawn(0, 4, 6)
    kept = FrequentDirections(5, 6)
    kept.add(stream)
    sketch = kept.sketch()
    torch.testing.assert_close(sketch.T @ sketch, stream.T @ stream)


def test_merged_features_give_the_trace_kernel_on_average() -> None:
    phi = drawn(1, 3, 4, 6)
    exact = contract(phi, phi, "trace")
    merged = torch.stack([join_classes(phi, seed) for seed in range(2000)])
    mean = (merged @ merged.mT).mean(0)
    spread = (merged @ merged.mT).std(0) / 2000**0.5
    assert ((mean - exact).abs() <= 5 * spread + 1e-12).all()


def test_gaussian_projection_has_the_stated_mean_and_variance() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(18, 2)).double()
    images = torch.rand(3, 1, 5, 5, dtype=torch.float64)
    gradients = jacobian(model, images).detach().transpose(0, 1)
    exact = gradients @ gradients.mT
    features = (sketched_features(model, images, GaussianProjection(8, seed)) for seed in range(120))
    errors = torch.stack([contract(f, f, "per_class") - exact for f in features])
    squares = exact.diagonal(dim1=1, dim2=2)
    variance = (squares[:, :, None] * squares[:, None] + exact.square()) / 8
    assert (errors.mean(0).abs() <= 5 * (variance / 120).sqrt()).all()
    torch.testing.assert_close(
        errors.square().mean(0) / variance, torch.ones_like(variance), rtol=0.5, atol=0
    )


def test_gaussian_projection_is_the_same_for_every_chunk_of_samples() -> None:
    torch.manual_seed(0)
    model, images = nn.Sequential(nn.Flatten(), nn.Linear(9, 2)), torch.rand(4, 1, 3, 3)
    whole, parts = (sketched_features(model, images, GaussianProjection(4, 1), chunk=c) for c in (4, 3))
    torch.testing.assert_close(whole, parts)


def test_tables_and_empty_projections_are_refused() -> None:
    with pytest.raises(ValueError, match="size: got 0, needs at least 1"):
        GaussianProjection(0)
    model = nn.Sequential(nn.Embedding(5, 3), nn.Flatten(), nn.Linear(6, 2))
    with pytest.raises(
        ValueError, match=r"0\.weight: an embedding .* is not projected densely; take SparseSketch"
    ):
        sketched_features(model, torch.tensor([[0, 1]]), GaussianProjection(4))


def test_spectral_error_is_in_units_of_the_ridge() -> None:
    theta = torch.eye(4, dtype=torch.float64).expand(2, 4, 4)
    assert spectral_error(theta, 1.25 * theta, ridge=0.5) == pytest.approx(0.5)
    assert spectral_error(theta, theta, ridge=1e-4) == 0
