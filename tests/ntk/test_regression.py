"""Kernel ridge regression against scikit-learn, brute force and closed forms."""

import inspect
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.kernel_ridge import KernelRidge

from ntkd_lib.ntk.regression import (
    choose_ridge,
    degrees_of_freedom,
    fit_ridge,
    gcv_score,
    loo_residuals,
    predict,
    ridge_path,
)

LAMBDAS = [1e-3, 0.1, 2.0, 50.0]


def setting(n: int = 12, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    features = torch.randn(n + 5, n + 3, generator=draw, dtype=torch.float64)
    targets = torch.randn(n, 2, generator=draw, dtype=torch.float64)
    return features[:n] @ features[:n].T, targets, features[n:] @ features[:n].T


def circulant(n: int = 9) -> torch.Tensor:
    """Give a kernel that no rotation of its samples changes: all leverages are equal."""
    steps = (torch.arange(n)[:, None] - torch.arange(n)).abs()
    return torch.exp(-torch.minimum(steps, n - steps).double())


def hat(theta: torch.Tensor, ridge: float) -> torch.Tensor:
    return theta @ torch.linalg.inv(theta + ridge * torch.eye(len(theta)).double())


@pytest.mark.parametrize("ridge", LAMBDAS)
def test_agrees_with_scikit_learn(ridge: float) -> None:
    theta, targets, cross = setting()
    model = KernelRidge(alpha=ridge, kernel="precomputed").fit(theta.numpy(), targets.numpy())
    coefficients = fit_ridge(theta, targets, ridge)
    np.testing.assert_allclose(coefficients, model.dual_coef_, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(predict(cross, coefficients), model.predict(cross.numpy()), atol=1e-11)


def test_path_equals_single_fits() -> None:
    theta, targets, cross = setting()
    path = ridge_path(theta, targets, LAMBDAS)
    fits = torch.stack([fit_ridge(theta, targets, ridge) for ridge in LAMBDAS])
    torch.testing.assert_close(path, fits, rtol=1e-9, atol=1e-11)
    torch.testing.assert_close(predict(cross, path)[2], predict(cross, fits[2]))


def test_float32_kernels_are_solved_in_float64() -> None:
    theta, targets, _ = setting()
    found = fit_ridge(theta.float(), targets.float(), 0.1)
    assert found.dtype == torch.float64
    torch.testing.assert_close(found, fit_ridge(theta.float().double(), targets.float().double(), 0.1))


def test_no_ridge_interpolates_and_much_ridge_vanishes() -> None:
    theta, targets, _ = setting()
    torch.testing.assert_close(predict(theta, fit_ridge(theta, targets, 0.0)), targets)
    torch.testing.assert_close(1e9 * fit_ridge(theta, targets, 1e9), targets, rtol=1e-6, atol=1e-6)


@given(st.integers(0, 2**31 - 1), st.floats(0.01, 100), st.floats(0.1, 10))
@settings(max_examples=20, deadline=None, derandomize=True)
def test_scaling_kernel_and_ridge_alike_keeps_predictions(seed: int, ridge: float, factor: float) -> None:
    theta, targets, cross = setting(seed=seed)
    plain = predict(cross, fit_ridge(theta, targets, ridge))
    torch.testing.assert_close(
        predict(factor * cross, fit_ridge(factor * theta, targets, factor * ridge)), plain
    )


@pytest.mark.parametrize("ridge", LAMBDAS)
def test_leaving_one_out_equals_refitting(ridge: float) -> None:
    theta, targets, _ = setting()
    found = loo_residuals(theta, targets, ridge)
    for i in range(len(theta)):
        rest = torch.arange(len(theta)) != i
        coefficients = fit_ridge(theta[rest][:, rest], targets[rest], ridge)
        torch.testing.assert_close(found[i], targets[i] - predict(theta[i : i + 1, rest], coefficients)[0])


def test_gcv_by_its_definition() -> None:
    theta, targets, _ = setting()
    for ridge, score in zip(LAMBDAS, gcv_score(theta, targets, LAMBDAS), strict=True):
        h = hat(theta, ridge)
        by_hand = (targets - h @ targets).square().mean() / (1 - h.trace() / len(h)) ** 2
        assert score.item() == pytest.approx(by_hand.item(), rel=1e-9)


def test_gcv_equals_leaving_one_out_where_leverages_are_equal() -> None:
    theta, targets = circulant(), torch.randn(9, 3, generator=torch.Generator().manual_seed(1)).double()
    loo = torch.stack([loo_residuals(theta, targets, ridge).square().mean() for ridge in LAMBDAS])
    torch.testing.assert_close(gcv_score(theta, targets, LAMBDAS), loo)


def test_gcv_goes_on_to_no_ridge() -> None:
    theta, targets, _ = setting()
    limit, near = gcv_score(theta, targets, [0.0, 1e-9])
    assert limit.item() == pytest.approx(near.item(), rel=1e-5)


def test_degrees_of_freedom_are_the_trace_of_the_hat_matrix() -> None:
    theta, _, _ = setting()
    traces = torch.stack([hat(theta, ridge).trace() for ridge in LAMBDAS])
    torch.testing.assert_close(degrees_of_freedom(theta, LAMBDAS), traces)
    assert degrees_of_freedom(theta, [0.0]).item() == pytest.approx(len(theta))


def test_choices_are_the_lowest_scores() -> None:
    theta, targets, cross = setting()
    truth = torch.randn(5, 2, generator=torch.Generator().manual_seed(2)).double()
    missed = [(predict(cross, fit_ridge(theta, targets, r)) - truth).square().mean() for r in LAMBDAS]
    left_out = [loo_residuals(theta, targets, r).square().mean() for r in LAMBDAS]
    expected = {"validation": torch.stack(missed), "loo": torch.stack(left_out)}
    expected["gcv"] = gcv_score(theta, targets, LAMBDAS)
    for by, scores in expected.items():
        choice = choose_ridge(
            theta, targets, LAMBDAS, by=by, validation=(cross, truth) if by == "validation" else None
        )
        torch.testing.assert_close(choice.scores, scores)
        assert choice.ridge == LAMBDAS[int(scores.argmin())]


def test_noisier_targets_want_more_ridge() -> None:
    draw = torch.Generator().manual_seed(3)
    x = torch.rand(60, 1, generator=draw, dtype=torch.float64)
    theta = torch.exp(-(((x - x.T) / 0.2) ** 2))
    noise = torch.randn(60, 1, generator=draw, dtype=torch.float64)
    grid = [10.0**k for k in range(-8, 3)]
    for by in ("gcv", "loo"):
        little, much = (
            choose_ridge(theta, torch.sin(6 * x) + size * noise, grid, by=by).ridge for size in (1e-3, 0.5)
        )
        assert little < much


def test_arrays_are_tensors() -> None:
    theta, targets, cross = setting()
    arrays = [values.numpy() for values in (theta, targets)]
    torch.testing.assert_close(fit_ridge(*arrays, 0.1), fit_ridge(theta, targets, 0.1))
    torch.testing.assert_close(
        predict(cross.numpy(), fit_ridge(*arrays, 0.1)), predict(cross, fit_ridge(theta, targets, 0.1))
    )
    validation = cross, torch.ones(5, 2)
    for by, pair in (("gcv", None), ("loo", None), ("validation", validation)):
        exact = choose_ridge(theta, targets, LAMBDAS, by=by, validation=pair)
        of_arrays = pair and tuple(values.numpy() for values in pair)
        choice = choose_ridge(*arrays, LAMBDAS, by=by, validation=of_arrays)
        torch.testing.assert_close(choice.scores, exact.scores)


def test_one_ridge_is_no_sequence() -> None:
    for function in (choose_ridge, gcv_score, ridge_path):
        with pytest.raises(ValueError, match="lambdas: got 1, needs a sequence of ridges"):
            inspect.unwrap(function)(EYE, Y, 1.0)  # past the tests' types


ONES = torch.ones(3, 3)
EYE = torch.eye(3)
Y = torch.ones(3, 1)
NAN = float("nan")


@pytest.mark.parametrize(
    "call, text",
    [
        (lambda: fit_ridge(torch.ones(2, 3), Y, 1), r"theta: got shape \(2, 3\), needs a square kernel"),
        (lambda: degrees_of_freedom(torch.ones(3), [1.0]), r"theta: got shape \(3,\), needs a square kernel"),
        (lambda: fit_ridge(EYE.cumsum(0), Y, 1.0), "theta: differs from its transpose by up to 1, needs"),
        (lambda: fit_ridge(EYE * NAN, Y, 1.0), "theta: got values that are not finite"),
        (lambda: fit_ridge(EYE, Y * NAN, 1.0), "targets: got values that are not finite"),
        (lambda: fit_ridge(EYE, Y[:2], 1.0), r"targets: got shape \(2, 1\), needs \(3, c\)"),
        (lambda: fit_ridge(EYE, Y[:, 0], 1.0), r"targets: got shape \(3,\), needs \(3, c\)"),
        (lambda: fit_ridge(ONES, Y, 0.0), "ridge: got 0, which leaves the kernel singular; needs a larger"),
        (lambda: fit_ridge(-EYE, Y, 0.5), "ridge: got 0.5, which leaves the kernel singular"),
        (lambda: fit_ridge(EYE, Y, -0.5), "ridge: got -0.5, needs a finite number of at least 0"),
        (lambda: loo_residuals(ONES, Y, 0.0), "ridge: got 0, which leaves the kernel"),
        (lambda: ridge_path(ONES, Y, [1.0, 0.0]), "ridge: got 0, which leaves"),
        (lambda: ridge_path(EYE, Y, [1.0, NAN]), "ridge: got nan, needs a finite number of at least 0"),
        (lambda: ridge_path(EYE, Y, []), "lambdas: got none, needs at least one ridge"),
        (lambda: predict(EYE, Y[:2]), "theta_cross: got 3 columns, needs one for each of 2 coefficients"),
        (lambda: choose_ridge(EYE, Y, [1.0], by="aic"), "by: got 'aic', allowed are gcv, loo, validation"),
        (
            lambda: choose_ridge(EYE, Y, [1.0], by="validation"),
            "validation: got nothing with by='validation'",
        ),
        (lambda: choose_ridge(EYE, Y, [1.0], validation=(EYE, Y)), "validation: got a kernel with by='gcv'"),
        (
            lambda: choose_ridge(EYE, Y, [1.0], by="validation", validation=(EYE, Y[:2])),
            r"validation: got targets of shape \(2, 1\), needs \(3, 1\)",
        ),
    ],
)
def test_refusals_name_what_came(call: Callable, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        call()
