"""Eigenbases, shrinkage and fits: Parseval, permutations, scikit-learn and slow twins in float64."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.kernel_ridge import KernelRidge

from ntkd_lib.ntk.reference import reference_ntk
from ntkd_lib.spectral.basis import eigenbasis
from ntkd_lib.spectral.fit import fit_outputs
from ntkd_lib.spectral.kernels import GaussianKernel, TangentKernel, gaussian_kernels, median_distance
from ntkd_lib.spectral.low_rank import low_rank_basis
from ntkd_lib.spectral.shrinkage import ResidualModes, choose_ridge, gcv_scores, ridge_grid, shrinkage


def data(n=40, d=3, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)), rng.standard_normal((n, 2))


def centred(kernel, x):
    middle = np.eye(len(x)) - 1 / len(x)
    return middle @ kernel(x, x) @ middle


@pytest.mark.parametrize("width", [0.3, 2.0, 30.0])
def test_basis_is_orthonormal_orthogonal_to_the_constant_and_rebuilds_the_gram_matrix(width):
    x, _ = data()
    kernel = GaussianKernel(width)
    basis = eigenbasis(kernel, x)
    np.testing.assert_allclose(basis.vectors.T @ basis.vectors, np.eye(39), atol=1e-12)
    np.testing.assert_allclose(basis.vectors.sum(axis=0), 0, atol=1e-12)
    rebuilt = (basis.vectors * basis.values) @ basis.vectors.T
    np.testing.assert_allclose(rebuilt, centred(kernel, x), atol=1e-12)
    assert (np.diff(basis.values) <= 1e-15).all()


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.integers(0, 100), st.floats(0.2, 10), st.floats(1e-6, 10))
def test_certificate_is_the_error_on_the_training_inputs(seed, width, ridge):
    x, t = data(seed=seed)
    fit = fit_outputs([eigenbasis(GaussianKernel(width), x)], t, ridge)
    measured = np.sqrt(((fit.predict(x) - t) ** 2).mean(axis=0))
    np.testing.assert_allclose(fit.certificate, measured, rtol=1e-8)


def test_certificate_covers_cut_modes_and_low_rank_kernels():
    x, t = data()
    kernel = GaussianKernel(1.5)
    for basis, modes in ((eigenbasis(kernel, x), 7), (low_rank_basis(kernel, x, 9), None)):
        fit = fit_outputs([basis], t, 0.01, modes)
        measured = np.sqrt(((fit.predict(x) - t) ** 2).mean(axis=0))
        np.testing.assert_allclose(fit.certificate, measured, rtol=1e-9)


def test_predictions_are_those_of_scikit_learns_kernel_ridge():
    x, t = data()
    new = data(15, seed=1)[0]
    kernel = GaussianKernel(1.5)
    fit = fit_outputs([eigenbasis(kernel, x)], t, 0.3)
    ridge = KernelRidge(alpha=0.3, kernel="precomputed").fit(centred(kernel, x), t - t.mean(axis=0))
    cross = kernel(new, x) - kernel(x, x).mean(axis=0)
    cross -= cross.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(fit.predict(new), ridge.predict(cross) + t.mean(axis=0), atol=1e-10)


def test_effective_parameters_are_the_trace_of_the_hat_matrix():
    x, t = data()
    gram = centred(GaussianKernel(1.5), x)
    fit = fit_outputs([eigenbasis(GaussianKernel(1.5), x)], t, 0.3)
    trace = np.trace(np.linalg.solve(gram + 0.3 * np.eye(40), gram))
    assert fit.effective_parameters == pytest.approx(trace, rel=1e-10)
    assert fit.stored_size == 40 * 3 + 40 * 2


def test_gcv_is_leaving_out_by_the_mean_leverage():
    x, t = data()
    gram = centred(GaussianKernel(1.5), x)
    basis = eigenbasis(GaussianKernel(1.5), x)
    for ridge in (1e-3, 0.1, 10.0):
        hat = np.linalg.solve(gram + ridge * np.eye(40), gram)
        left = (np.eye(40) - hat) @ (t - t.mean(axis=0))
        slow = (left**2).sum() / 40 / (1 - np.trace(hat) / 39) ** 2
        fast = gcv_scores(basis.values, basis.coefficients(t - t.mean(axis=0)), np.array([ridge]))
        assert fast[0] == pytest.approx(slow, rel=1e-9)


def test_n_degrees_of_freedom_in_gcv_would_run_to_interpolation():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((60, 5)), rng.standard_normal((60, 1))
    basis = eigenbasis(gaussian_kernels(x, [1.0])[0], x)
    modes, ridges = basis.coefficients(y - y.mean()), ridge_grid(basis.values)
    traces = np.array([shrinkage(basis.values, ridge).sum() for ridge in ridges])
    left = [((ridge / (basis.values + ridge))[:, None] * modes) ** 2 for ridge in ridges]
    wrong = [part.sum() / (1 - trace / 60) ** 2 for part, trace in zip(left, traces, strict=True)]
    assert traces[int(np.argmin(wrong))] > 58.9
    right = choose_ridge(basis.values, modes).ridge
    assert shrinkage(basis.values, right).sum() < 30


def test_permuted_data_give_the_same_fit():
    x, t = data()
    order = np.random.default_rng(3).permutation(40)
    new = data(10, seed=4)[0]
    first, second = (
        fit_outputs([eigenbasis(kernel, a) for kernel in gaussian_kernels(a)], b)
        for a, b in ((x, t), (x[order], t[order]))
    )
    assert first.ridge == pytest.approx(second.ridge, rel=1e-9)
    assert first.effective_parameters == pytest.approx(second.effective_parameters, rel=1e-8)
    np.testing.assert_allclose(first.predict(new), second.predict(new), atol=1e-8)


def test_low_rank_basis_with_all_landmarks_is_exact():
    x, t = data()
    new = data(10, seed=1)[0]
    exact, cheap = eigenbasis(GaussianKernel(0.5), x), low_rank_basis(GaussianKernel(0.5), x, 40)
    assert cheap.trace_error < 1e-10
    np.testing.assert_allclose(cheap.values, exact.values[: len(cheap.values)], atol=1e-10)
    guesses = [fit_outputs([basis], t, 0.1).predict(new) for basis in (exact, cheap)]
    np.testing.assert_allclose(*guesses, atol=1e-9)


def test_trace_error_bounds_what_a_low_rank_kernel_loses():
    x, _ = data(80)
    kernel = GaussianKernel(1.0)
    for count in (5, 20, 60):
        cheap = low_rank_basis(kernel, x, count, seed=count)
        exact = eigenbasis(kernel, x)
        low = (cheap.vectors * cheap.values) @ cheap.vectors.T
        lost = np.linalg.eigvalsh(centred(kernel, x) - low)
        assert lost.min() > -1e-10
        assert np.linalg.norm(lost) <= lost.sum() + 1e-10 <= cheap.trace_error + 2e-10
        assert (exact.values[: len(cheap.values)] - cheap.values <= cheap.trace_error + 1e-10).all()


def test_missing_modes_count_as_dropped_in_gcv():
    x, t = data()
    basis = eigenbasis(GaussianKernel(1.5), x)
    modes = basis.coefficients(t - t.mean(axis=0))
    cut = np.where(np.arange(39) < 10, basis.values, 0)
    rest = ResidualModes(29, float((modes[10:] ** 2).sum()))
    ridges = np.array([0.1, 1.0])
    np.testing.assert_allclose(
        gcv_scores(basis.values[:10], modes[:10], ridges, rest), gcv_scores(cut, modes, ridges), rtol=1e-12
    )


def test_tangent_kernel_is_that_of_the_network():
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(3, 5), torch.nn.Tanh(), torch.nn.Linear(5, 2))
    x = data(6)[0]
    exact = reference_ntk(net, torch.tensor(x).float()).diagonal(dim1=2, dim2=3).sum(-1).numpy()
    np.testing.assert_allclose(TangentKernel(net)(x, x), exact, rtol=1e-4)
    assert eigenbasis(TangentKernel(net), x).values[0] > 0


def test_equal_inputs_have_a_median_distance():
    assert median_distance(np.zeros((5, 2))) == 1.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gaussian_kernels(np.eye(3), []), "bandwidths: got none, needs at least one"),
        (lambda: gaussian_kernels(np.eye(3), [0.0]), "bandwidths: got 0.0, needs finite numbers above 0"),
        (lambda: eigenbasis(GaussianKernel(1.0), np.ones((1, 2))), "x: got 1 sample, needs at least 2"),
        (lambda: eigenbasis(lambda a, b: a, np.ones((3, 2))), r"kernel: gave shape \(3, 2\) for 3 samples"),
        (lambda: eigenbasis(lambda a, b: np.full((3, 3), np.nan), np.eye(3)), "values that are not finite"),
        (lambda: eigenbasis(lambda a, b: np.triu(np.ones((3, 3))), np.eye(3)), "differs from its transpose"),
        (lambda: low_rank_basis(GaussianKernel(1.0), np.eye(3), 4), "landmarks: got 4, needs 2 to 3"),
    ],
)
def test_bad_input_is_refused_in_one_line(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_tangent_kernel_stays_that_of_the_weights_it_was_made_at():
    torch.manual_seed(0)
    net, x = torch.nn.Linear(3, 1), np.random.default_rng(0).normal(size=(4, 3))
    kernel = TangentKernel(torch.nn.Sequential(net, torch.nn.Tanh()))
    before = kernel(x, x)
    with torch.no_grad():
        net.weight.mul_(2)
    np.testing.assert_array_equal(kernel(x, x), before)
