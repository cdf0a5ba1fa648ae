"""Stage 3 and ranks: truncated kernel regression in disguise, coverage, duplicates."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from torch import Tensor

from ntkd_lib.dntk.gradients import cluster_points, distinct, leading_eigenvectors, local_global
from ntkd_lib.dntk.rank import effective_rank, truncation_rank
from ntkd_lib.dntk.regression import fit_nystrom, fit_per_class, predict_per_class, reduce_kernel

SEEDS = st.integers(0, 10_000)


def features(seed: int, points: int = 30, size: int = 50) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    scales = torch.logspace(0, -2, size, dtype=torch.float64)
    return torch.randn(points, size, generator=generator, dtype=torch.float64) * scales


def grouped(seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return features in three distant groups, and the groups."""
    generator = torch.Generator().manual_seed(seed)
    groups = torch.arange(36) % 3
    centres = 4 * torch.eye(3, 20, dtype=torch.float64)
    return centres[groups] + 0.1 * torch.randn(36, 20, generator=generator, dtype=torch.float64), groups


@settings(max_examples=20, deadline=None, derandomize=True)
@given(SEEDS, st.integers(1, 30))
def test_regression_on_gradients_of_own_eigenvectors_is_truncated_kernel_regression(
    seed: int, count: int
) -> None:
    phi, new, ridge = features(seed), features(seed + 1), 1e-3
    targets = torch.sin(phi @ torch.ones(50, 1, dtype=torch.float64))
    theta, cross = phi @ phi.T, new @ phi.T
    values, vectors = leading_eigenvectors(theta)
    leading = vectors[:, :count]
    made = phi.T @ leading  # the synthetic gradients themselves, as columns
    assert torch.allclose(made.T @ made, values[:count].diag(), atol=1e-9)  # their kernel is diagonal
    small = reduce_kernel(theta[None], leading)
    coefficients = fit_per_class(small, leading.T @ targets, ridge)
    found = predict_per_class((new @ made)[None], coefficients)
    scale = ridge * values[:count].mean()
    truncated = cross @ leading @ torch.diag(1 / (values[:count] + scale)) @ leading.T @ targets
    torch.testing.assert_close(found, truncated, rtol=1e-8, atol=1e-10)


def test_all_eigenvectors_give_back_full_kernel_regression() -> None:
    phi, new = features(3), features(4)
    targets = phi[:, :1].tanh()
    theta, cross = (phi @ phi.T)[None], (new @ phi.T)[None]
    vectors = leading_eigenvectors(theta[0])[1]
    reduced = fit_per_class(reduce_kernel(theta, vectors), vectors.T @ targets, 1e-3)
    found = predict_per_class(cross @ vectors, reduced)
    torch.testing.assert_close(found, predict_per_class(cross, fit_per_class(theta, targets, 1e-3)))


def test_last_layer_weights_are_one_synthetic_gradient_with_full_fidelity() -> None:
    # f_c(x) = <J_c(x), w> with w the last layer's own weights and zeros elsewhere: nothing needs distilling
    from ntkd_lib.nets.two_convolutions import compact_cnn
    from ntkd_lib.ntk.contraction import jacobian

    torch.manual_seed(0)
    model, images = compact_cnn().double(), torch.rand(3, 1, 28, 28, dtype=torch.float64)
    last = ("dense2.weight", "dense2.bias")
    weights = torch.cat([p.flatten() if n in last else 0 * p.flatten() for n, p in model.named_parameters()])
    torch.testing.assert_close(jacobian(model, images) @ weights, model(images))


def test_clusters_are_found_and_their_eigenvectors_stay_inside() -> None:
    phi, groups = grouped()
    theta = phi @ phi.T
    found = cluster_points(theta, choices=(3, 9))
    assert len(found.unique()) == 3
    assert all(len(found[groups == g].unique()) == 1 for g in range(3))
    candidates = local_global(theta, found, energy=0.95)
    for vector in candidates.vectors[:, candidates.local].T:
        assert len(groups[vector.abs() > 1e-12].unique()) == 1
    assert torch.equal(candidates.energy, candidates.energy.sort(descending=True).values)


def test_clusters_cannot_leave_more_uncovered_than_was_cut_off() -> None:
    for seed in range(5):
        phi = features(seed)
        candidates = local_global(phi @ phi.T, torch.arange(30) % 4, energy=0.9)
        assert -1e-12 <= candidates.uncovered <= 0.1 + 1e-12


def test_one_group_covers_its_own_eigenvectors_and_no_gap_is_left() -> None:
    phi = features(1)
    candidates = local_global(phi @ phi.T, torch.zeros(30, dtype=torch.long))
    assert candidates.local.all()
    assert candidates.gap == 0
    values, vectors = leading_eigenvectors(phi @ phi.T)
    overlap = (candidates.vectors.T @ vectors[:, : candidates.vectors.shape[1]]).abs()
    torch.testing.assert_close(overlap, torch.eye(len(overlap), dtype=torch.float64), atol=1e-7, rtol=0)
    torch.testing.assert_close(candidates.energy, values[: len(candidates.energy)])


def test_duplicates_are_dropped_and_order_is_kept() -> None:
    eye = torch.eye(5, dtype=torch.float64)
    mixed = (eye[:, 0] + 0.01 * eye[:, 1])[:, None] / 1.00005
    found = distinct(torch.cat([eye[:, :1], mixed, eye[:, 1:3]], 1), 3)
    assert torch.equal(found, eye[:, :3])
    assert distinct(eye[:, [0, 0, 0]], 2).shape == (5, 1)


def test_too_few_points_for_clusters_are_refused() -> None:
    with pytest.raises(ValueError, match="theta: got 4 points, needs two for each of 5 groups"):
        cluster_points(torch.eye(4, dtype=torch.float64))


@settings(max_examples=20, deadline=None, derandomize=True)
@given(SEEDS, st.floats(0.05, 0.999))
def test_truncation_rank_is_the_number_of_principal_components(seed: int, energy: float) -> None:
    phi = features(seed)
    phi = phi - phi.mean(0)
    rank = truncation_rank(torch.linalg.eigvalsh(phi @ phi.T), energy)
    assert rank == PCA(n_components=energy, svd_solver="full").fit(phi.numpy()).n_components_


def test_ranks_of_equal_eigenvalues_and_scale() -> None:
    equal = torch.ones(20)
    assert truncation_rank(equal) == 19
    assert effective_rank(equal) == pytest.approx(20)
    values = torch.rand(9, generator=torch.Generator().manual_seed(0))
    assert effective_rank(values) == pytest.approx(effective_rank(7 * values), rel=1e-6)


@pytest.mark.parametrize("energy", [0.0, 1.1])
def test_a_share_outside_of_its_range_is_refused(energy: float) -> None:
    with pytest.raises(ValueError, match=rf"energy: got {energy}, allowed: above 0, at most 1"):
        truncation_rank(torch.ones(3), energy)
    with pytest.raises(ValueError, match="values: got no positive eigenvalue"):
        effective_rank(-torch.ones(3))


def test_nystrom_on_all_points_is_kernel_regression() -> None:
    phi, new = features(5), features(6)
    theta, targets = (phi @ phi.T)[None], phi[:, 1:2].cos()
    cross = (new @ phi.T)[None]
    exact = predict_per_class(cross, fit_per_class(theta, targets, 1e-2))
    found = predict_per_class(cross, fit_nystrom(theta, theta, targets, 1e-2))
    torch.testing.assert_close(found, exact, rtol=1e-5, atol=1e-6)


def test_nystrom_takes_kernels_that_rounding_makes_indefinite() -> None:
    phi, new = features(5, 60, 20).float(), features(6, 30, 20).float()
    theta, cross, targets = (phi @ phi.T)[None], (new @ phi.T)[None], phi[:, 1:2].cos()
    exact = theta.double()
    assert torch.linalg.eigvalsh(exact).min() < -1e-9 * exact[0].diagonal().mean(), "rank 20 in float32"
    values = predict_per_class(cross, fit_nystrom(theta, theta, targets, 1e-2))
    expected = predict_per_class(cross, fit_per_class(theta, targets, 1e-2))
    torch.testing.assert_close(values, expected, rtol=1e-3, atol=1e-3)


def test_nystrom_in_float64_solves_its_normal_equations() -> None:
    phi = features(5)
    gram, cross, targets = (phi[:6] @ phi[:6].T)[None], (phi @ phi[:6].T)[None], phi[:, 1:2].cos()
    mean = gram.diagonal(dim1=1, dim2=2).mean()
    moments = cross.mT @ cross + 1e-2 * mean * (gram + 1e-9 * mean * torch.eye(6))
    expected = torch.linalg.solve(moments, cross.mT @ targets)[:, :, 0]
    torch.testing.assert_close(fit_nystrom(cross, gram, targets, 1e-2), expected, rtol=1e-9, atol=1e-12)


def test_nystrom_refuses_what_does_not_fit() -> None:
    eye = torch.eye(3).expand(2, 3, 3)
    with pytest.raises(ValueError, match=r"targets: got shape \(3, 1\), needs \(3, 2\): one row a point"):
        fit_nystrom(eye, eye, torch.zeros(3, 1), 1e-3)
    for gram in (-eye, eye * torch.nan):
        with pytest.raises(ValueError, match=r"^gram: got negative eigenvalues or NaN, allowed: 0 or more"):
            fit_nystrom(eye, gram, torch.zeros(3, 2), 1e-3)


def test_targets_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"targets: got shape \(4, 2\), needs \(3, 2\): one row a point"):
        fit_per_class(torch.eye(3).expand(2, 3, 3), torch.zeros(4, 2), 1e-3)
