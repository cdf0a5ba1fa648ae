"""Certificates hold as often as they say; tests and estimates of overfitting keep their promises."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.compose import make_column_transformer
from sklearn.datasets import make_friedman1
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ntkd_lib.spectral.basis import eigenbasis
from ntkd_lib.spectral.certificates import (
    clipped_squares,
    clopper_pearson,
    empirical_bernstein,
    hoeffding,
    noise_floor,
)
from ntkd_lib.spectral.kernels import GaussianKernel
from ntkd_lib.spectral.modes import count_above, kept_share, largest, relevant_dimension
from ntkd_lib.spectral.optimism import estimated_optimism, generalised_degrees, tail_statistic
from ntkd_lib.spectral.report import spectral_report
from ntkd_lib.spectral.student import SpectralStudent


@pytest.mark.parametrize("bound", [hoeffding, empirical_bernstein])
@pytest.mark.parametrize("chance", [0.01, 0.3])
def test_bounds_on_a_mean_hold(bound, chance):
    rng = np.random.default_rng(0)
    held = [bound((rng.random(80) < chance).astype(float), 1.0, 0.9) >= chance for _ in range(600)]
    assert np.mean(held) >= 0.9


def test_clopper_pearson_holds_and_is_exact_at_the_ends():
    rng = np.random.default_rng(0)
    held = [clopper_pearson(rng.random(50) < 0.1, 0.9) >= 0.1 for _ in range(600)]
    assert np.mean(held) >= 0.9
    assert clopper_pearson(np.zeros(50, dtype=bool)) == pytest.approx(1 - 0.05 ** (1 / 50))
    assert clopper_pearson(np.ones(5, dtype=bool)) == 1.0


def test_squares_stay_in_the_stated_range():
    squares = clipped_squares(np.array([-9.0, 0.5, 9.0]), np.array([0.0, 0.0, 0.0]), -1.0, 1.0)
    np.testing.assert_allclose(squares, [1, 0.25, 1])


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.integers(0, 1000), st.floats(0.1, 5), st.integers(1, 29), st.floats(0.01, 10))
def test_noise_floor_bounds_the_error_of_coefficients(seed, width, rank, variance):
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((30, 2)), rng.standard_normal(30)
    gram = GaussianKernel(width)(x, x)
    values, vectors = np.linalg.eigh(gram)
    low = (vectors[:, -rank:] * np.maximum(values[-rank:], 0)) @ vectors[:, -rank:].T
    exact, cheap = (np.linalg.solve(k + variance * np.eye(30), y) for k in (gram, low))
    error = np.linalg.norm(exact - cheap) / np.linalg.norm(exact)
    decision = noise_floor(float(np.linalg.norm(gram - low)), variance)
    assert error <= decision.bound * (1 + 1e-9) + 1e-12
    assert decision.accepted == (decision.bound <= 0.05)


def matched(seed, n=150, cut=20, noise=0.5):
    """Draw labels whose signal ends at a known mode."""
    rng = np.random.default_rng(seed)
    signal = np.where(np.arange(n - 1) < cut, 5.0 * rng.choice([-1, 1], n - 1), 0)
    return signal, signal + noise * rng.standard_normal(n - 1)


def test_cut_and_noise_level_are_found_where_the_model_holds():
    found = [relevant_dimension(matched(seed)[1]) for seed in range(40)]
    assert np.median([cut.kstar for cut in found]) == 20
    assert np.mean([cut.noise for cut in found]) == pytest.approx(0.5, rel=0.05)


def test_tail_statistic_is_standard_normal_where_the_fit_saw_other_noise():
    z = []
    for seed in range(300):
        signal, labels = matched(seed)
        fitted = signal + np.random.default_rng(10_000 + seed).standard_normal(len(signal))
        z.append(float(tail_statistic(fitted, labels, 20, 0.5)))
    assert np.mean(np.abs(z) > 1.96) < 0.08
    assert np.std(z) == pytest.approx(1, abs=0.1)


def test_tail_statistic_is_large_where_the_fit_interpolates_and_0_without_a_tail():
    signal, labels = matched(0)
    assert tail_statistic(labels, labels, 20, 0.5) > 8
    assert tail_statistic(np.where(np.arange(149) < 20, signal, 0), labels, 20, 0.5) == 0
    both = tail_statistic(np.stack([labels, signal], axis=1), labels, 20, 0.5)
    assert both.shape == (2,)


def test_optimism_of_an_interpolating_fit_is_twice_the_noise():
    """A fit that repeats the labels errs by twice the noise variance on new labels at the same inputs."""
    estimates = [float(estimated_optimism(b, b, 20, 0.5)) for b in (matched(seed)[1] for seed in range(60))]
    assert np.mean(estimates) == pytest.approx(2 * 0.25, rel=0.05)


def test_generalised_degrees_of_a_linear_fit_are_its_trace():
    rng = np.random.default_rng(0)
    hat = rng.standard_normal((30, 30)) / 5
    change = rng.choice([-1.0, 1.0], (4000, 30))
    degrees = generalised_degrees(np.zeros((4000, 30)), change @ hat.T, change)
    assert degrees.mean() == pytest.approx(np.trace(hat), abs=0.3)


def test_greedy_modes_never_keep_less():
    modes = np.random.default_rng(0).standard_normal(50)
    for count in (1, 10, 50):
        assert kept_share(modes, largest(modes, count)) >= kept_share(modes, np.arange(50) < count)
    assert kept_share(modes, largest(modes, 50)) == pytest.approx(1)
    assert count_above(modes, 0.5) == (np.abs(modes) > 1).sum()


class Repeats:
    """A predictor that has learned its labels by heart, or half of each."""

    def __init__(self, y, share=1.0):
        self.values = share * y

    def predict(self, x):
        return self.values


@pytest.fixture(scope="module")
def noisy():
    rng = np.random.default_rng(1)
    x = rng.uniform(-2, 2, (120, 2))
    return x, np.sin(2 * x[:, 0]) + 0.5 * rng.standard_normal(120)


def test_report_on_a_memory_flags_it_and_claims_no_more(noisy):
    x, y = noisy
    report = spectral_report(Repeats(y), x, y, refit=lambda labels: labels)
    assert report.z > 5
    assert report.degrees == pytest.approx(120)
    assert report.training_error == 0
    assert report.optimism == pytest.approx(0.5, rel=0.35)
    assert "If those modes hold only noise, which was not tested, noise has been fitted" in report.verdict
    assert "prove" not in str(report)
    assert "Spectral report" in report._repr_html_()


def test_report_on_a_fit_without_a_tail_finds_nothing(noisy):
    x, y = noisy
    kernel = GaussianKernel(1.5)
    basis = eigenbasis(kernel, x)
    kept = basis.vectors[:, :2] @ basis.coefficients(y - y.mean())[:2]
    report = spectral_report(Repeats(y.mean() + kept), x, y, kernel=kernel)
    assert report.kstar >= 2
    assert report.z == 0
    assert "No sign" in report.verdict
    assert report.degrees is None
    assert report.facts["effective modes: generalised degrees of freedom"] == "not computed (needs a refit)"
    assert report.r2 > 0.99


def test_report_says_where_the_assumptions_fail(noisy):
    x, y = noisy
    report = spectral_report(Repeats(-y), x, y)
    assert "the assumptions of the test fail here" in report.verdict


def test_report_fits_its_student_with_its_own_kernel(noisy):
    x, y = noisy
    model = LinearRegression().fit(x, y)
    report = spectral_report(model, x, y)
    kernel = SpectralStudent().fit(x, y).fit_.basis.kernel
    student = SpectralStudent(model, kernel=kernel).fit(x)
    assert kernel != SpectralStudent(model).fit(x).fit_.basis.kernel
    assert report.effective_parameters == pytest.approx(student.effective_parameters_)
    assert report.r2 == pytest.approx(r2_score(model.predict(x), student.predict(x)), rel=1e-6)
    np.testing.assert_allclose(report.table["eigenvalue"], student.fit_.basis.values)


def test_report_predicts_with_the_frame_that_came(noisy):
    x, y = noisy
    frame = pd.DataFrame(x, columns=["place", "time"])
    scaler = make_column_transformer((StandardScaler(), ["time", "place"]))
    by_name = make_pipeline(scaler, KNeighborsRegressor(3)).fit(frame, pd.Series(y))
    values = by_name.predict(frame)
    assert spectral_report(by_name, frame, pd.Series(y)).facts == spectral_report(Repeats(values), x, y).facts


def test_report_draws_its_figure(noisy):
    import matplotlib.pyplot as plt

    x, y = noisy
    figure = spectral_report(Repeats(y, 0.5), x, y).figure()
    above, below, right = figure.axes
    assert above.get_xlabel() == "mode, by falling eigenvalue"
    assert "t" in below.get_xlabel()
    assert right.get_ylim() == (0, 1.05)
    plt.close(figure)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: hoeffding(np.array([2.0]), 1.0), "values: got 2 to 2, needs 0 to 1"),
        (lambda: hoeffding(np.array([0.5]), 1.0, 1.0), "confidence: got 1.0, needs a number between 0 and 1"),
        (lambda: empirical_bernstein(np.array([0.5]), 1.0), "values: got 1, needs at least 2"),
        (lambda: clipped_squares(np.ones(1), np.ones(1), 1.0, 1.0), "range: got 1.0 to 1.0"),
        (lambda: noise_floor(-1.0, 1.0), "needs an error of at least 0"),
        (lambda: relevant_dimension(np.ones(3)), "labels: got 3 coefficients, needs at least 4"),
        (lambda: spectral_report(Repeats(np.ones(3)), np.eye(3), np.arange(3.0)), "n at least 10"),
        (lambda: spectral_report(Repeats(np.ones(12)), np.eye(12), np.ones(12)), "needs labels that differ"),
        (lambda: spectral_report(Repeats(np.ones(12)), np.full((12, 2), np.nan), np.arange(12.0)), "finite"),
    ],
)
def test_bad_input_is_refused_in_one_line(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_report_flags_the_true_function_where_the_kernel_does_not_suit_it():
    x, y = make_friedman1(300, n_features=5, noise=1.0, random_state=0)
    truth = SimpleNamespace(predict=lambda _: make_friedman1(300, n_features=5, random_state=0)[1])
    assert spectral_report(truth, x, y).z > 4


def test_a_refit_may_give_a_column_and_is_called_twice():
    x, y = make_friedman1(60, n_features=5, noise=1.0, random_state=0)
    model, calls = LinearRegression().fit(x, y), []

    def refit(labels):
        calls.append(labels)
        return LinearRegression().fit(x, labels).predict(x)

    flat = spectral_report(model, x, y, refit=refit).degrees
    assert len(calls) == 2
    assert spectral_report(model, x, y, refit=lambda labels: refit(labels)[:, None]).degrees == flat
