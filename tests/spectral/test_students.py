"""Estimators: scikit-learn's own checks, teachers, the table of modes, refusals."""

import numpy as np
import pytest
from sklearn.datasets import load_iris, make_friedman1
from sklearn.dummy import DummyRegressor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.utils.estimator_checks import parametrize_with_checks

from ntkd_lib.spectral.kernels import GaussianKernel
from ntkd_lib.spectral.student import SpectralStudent, SpectralStudentClassifier


@parametrize_with_checks([SpectralStudent(), SpectralStudentClassifier()])
def test_scikit_learns_checks(estimator, check):
    check(estimator)


class Formula:
    """A predictor that knows the answer."""

    def predict(self, x):
        return np.sin(3 * x[:, 0]) + x[:, 1]


def test_a_student_imitates_its_teacher_not_the_labels():
    x, y = make_friedman1(100, 5, noise=1, random_state=0)
    student = SpectralStudent(Formula()).fit(x, y)
    assert student.fit_.certificate[0] == pytest.approx(
        np.sqrt(((student.predict(x) - Formula().predict(x)) ** 2).mean()), rel=1e-4
    )
    assert np.corrcoef(student.predict(x), Formula().predict(x))[0, 1] > 0.99
    assert student.effective_parameters_ < 99
    assert student.stored_size_ == 600


@pytest.mark.parametrize("landmarks", [40, 100, 200])
def test_the_noise_of_a_low_rank_fit_is_that_of_all_modes(landmarks):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 3))
    y = np.sin(x[:, 0]) + x[:, 1] + 0.5 * rng.normal(size=400)
    exact, part = (
        SpectralStudent(kernel=GaussianKernel(2.0), landmarks=m).fit(x, y).mode_table(y)
        for m in (None, landmarks)
    )
    noise, own = ((table.labels / table.t).abs()[0] for table in (exact, part))
    assert noise == pytest.approx(0.51, abs=0.01)
    assert own == pytest.approx(noise, abs=0.03)
    assert abs((part.kind == "signal").sum() - (exact.kind == "signal").sum()) <= 3


def test_constant_labels_need_no_mode():
    x = np.random.default_rng(0).normal(size=(300, 3))
    student = SpectralStudent().fit(x, np.full(300, 3.0))
    assert student.effective_parameters_ < 1
    np.testing.assert_allclose(student.predict(x), 3.0)


def test_labels_are_not_needed_with_a_teacher():
    x, y = make_friedman1(50, 5, random_state=0)
    with_labels, without = (SpectralStudent(Formula()).fit(x, labels) for labels in (y, None))
    np.testing.assert_array_equal(with_labels.predict(x), without.predict(x))


def test_a_constant_teacher_gives_a_constant():
    x, y = make_friedman1(50, 5, random_state=0)
    student = SpectralStudent(DummyRegressor().fit(x, y)).fit(x, y)
    np.testing.assert_allclose(student.predict(x + 1), y.mean(), rtol=1e-12)


def test_a_teacher_that_is_not_fitted_says_so():
    with pytest.raises(NotFittedError):
        SpectralStudent(DummyRegressor()).fit(np.eye(4))


def test_given_ridge_and_modes_are_kept():
    x, y = make_friedman1(60, 5, random_state=0)
    student = SpectralStudent(ridge=0.5, modes=7, bandwidths=(1.0,)).fit(x, y)
    assert student.fit_.ridge == 0.5
    assert (student.fit_.shares > 0).sum() == 7


def test_landmarks_make_the_model_smaller():
    x, y = make_friedman1(200, 5, random_state=0)
    student = SpectralStudent(landmarks=40, bandwidths=(2.0,)).fit(x, y)
    assert student.stored_size_ == 40 * 6
    assert student.score(x, y) > 0.8


def test_classes_follow_the_teachers_logits():
    x, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    teacher = LogisticRegression(max_iter=1000).fit(x, names)
    student = SpectralStudentClassifier(teacher).fit(x, names)
    assert (student.predict(x) == teacher.predict(x)).mean() > 0.97
    assert set(student.classes_) == set(names)
    assert student.decision_function(x).shape == (150, 3)


def test_a_teacher_of_two_classes_is_heard():
    x, y = load_iris(return_X_y=True)
    x, y = x[50:], y[50:]
    teacher = LogisticRegression(max_iter=1000).fit(x, y)
    student = SpectralStudentClassifier(teacher).fit(x, y)
    assert np.corrcoef(student.decision_function(x), teacher.decision_function(x))[0, 1] > 0.99


class Probabilities:
    """A classifier that has probabilities alone."""

    classes_ = np.array([0, 1])

    def predict_proba(self, x):
        second = 1 / (1 + np.exp(-x[:, 0]))
        return np.stack([1 - second, second], axis=1)


def test_a_teacher_with_probabilities_alone_is_heard():
    x = np.linspace(-3, 3, 41)[:, None]
    student = SpectralStudentClassifier(Probabilities()).fit(x, x[:, 0] > 0)
    np.testing.assert_allclose(student.decision_function(x), x[:, 0], atol=0.05)


def test_table_of_modes_adds_up():
    x, y = make_friedman1(80, 5, noise=1, random_state=0)
    student = SpectralStudent().fit(x, y)
    table = student.mode_table(y)
    assert (table["labels"] ** 2).sum() == pytest.approx(((y - y.mean()) ** 2).sum())
    assert set(table["kind"]) <= {"signal", "under-learned", "noise"}
    np.testing.assert_allclose(table["fitted"], table["shrinkage"] * table["labels"])


@pytest.mark.parametrize("settings", [{}, {"modes": 5}, {"landmarks": 40}, {"teacher": Formula()}])
def test_table_of_modes_holds_the_predictions(settings):
    x, y = make_friedman1(80, 5, noise=1, random_state=0)
    student = SpectralStudent(**settings).fit(x, y)
    outputs = student.predict(x)
    expected = student.fit_.basis.coefficients(outputs - outputs.mean())
    np.testing.assert_allclose(student.mode_table(y)["fitted"], expected, atol=1e-6 * np.abs(expected).max())


def test_a_student_that_is_nearly_constant_has_learned_no_mode():
    x, y = make_friedman1(80, 5, noise=1, random_state=0)
    kinds = SpectralStudent(ridge=1e6).fit(x, y).mode_table(y)["kind"]
    assert set(kinds) == {"under-learned", "noise"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"ridge": 0.0}, r"'ridge' parameter of SpectralStudent .* range \(0.0, inf\) or None. Got 0.0"),
        ({"ridge": float("inf")}, r"'ridge' parameter .* Got inf"),
        ({"modes": 2.5}, r"'modes' parameter .* Got 2.5"),
        ({"landmarks": 2.5}, r"'landmarks' parameter .* Got 2.5"),
        ({"kernel": "rbf"}, r"'kernel' parameter .* Got 'rbf'"),
        ({"modes": 10}, "modes: got 10, needs 1 to 9, or None for all"),
        ({"landmarks": 11}, "landmarks: got 11, needs 2 to 10"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        SpectralStudent(**settings).fit(np.arange(20.0).reshape(10, 2), np.arange(10.0))


def test_one_class_is_refused():
    with pytest.raises(ValueError, match=r"y: got one class, .*, needs at least 2"):
        SpectralStudentClassifier().fit(np.eye(3), np.ones(3))
