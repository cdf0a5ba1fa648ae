"""Teachers of the spectral classifier: columns that follow the classes, and refusals of all others."""

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris, make_blobs
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier, OutputCodeClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

from ntkd_lib.spectral.student import SpectralStudent, SpectralStudentClassifier


def data(classes=3):
    if classes == 3:
        return load_iris(return_X_y=True)
    return make_blobs(40 * classes, 4, centers=classes, random_state=0)


def agreement(teacher, x, y):
    return (SpectralStudentClassifier(teacher).fit(x, y).predict(x) == teacher.predict(x)).mean()


FITTING = {
    "svc": SVC(),
    "svc with ties broken": SVC(break_ties=True),
    "linear svc": LinearSVC(),
    "ridge": RidgeClassifier(),
    "bayes": GaussianNB(),
    "discriminant": LinearDiscriminantAnalysis(),
    "neighbours": KNeighborsClassifier(),
    "forest": RandomForestClassifier(10, random_state=0),
    "boosting": GradientBoostingClassifier(n_estimators=5, random_state=0),
    "pipeline": make_pipeline(StandardScaler(), SVC()),
    "one against the rest": OneVsRestClassifier(LogisticRegression()),
    "one against one, votes": OneVsOneClassifier(LinearSVC()),
    "calibrated": CalibratedClassifierCV(LinearSVC(), cv=2),
}


@pytest.mark.parametrize("classes", [2, 3, 5])
@pytest.mark.parametrize("name", FITTING)
def test_a_teacher_with_a_column_per_class_is_imitated(name, classes):
    x, y = data(classes)
    assert agreement(FITTING[name].fit(x, y), x, y) > 0.9


@pytest.mark.parametrize("classes", [3, 4, 10])
def test_pairs_of_classes_are_refused(classes):
    x, y = data(classes)
    teacher = SVC(decision_function_shape="ovo").fit(x, y)
    with pytest.raises(ValueError, match=r"^teacher: decision_function .* (column per class)"):
        SpectralStudentClassifier(teacher).fit(x, y)


def test_pairs_of_two_classes_are_the_classes():
    x, y = data(2)
    assert agreement(SVC(decision_function_shape="ovo").fit(x, y), x, y) > 0.9


@pytest.mark.parametrize("classes", [2, 3])
def test_teachers_that_read_columns_by_name_get_the_frame(classes):
    x, y = data(classes)
    frame = pd.DataFrame(x, columns=list("abcd"))
    scaler = make_column_transformer((StandardScaler(), list("dbca")))
    teacher = make_pipeline(scaler, LogisticRegression()).fit(frame, y)
    student = SpectralStudentClassifier(FrozenEstimator(teacher)).fit(frame, y)
    assert (student.predict(frame) == teacher.predict(frame)).mean() > 0.9
    regressor = make_pipeline(scaler, LinearRegression()).fit(frame, y)
    values = SpectralStudent(FrozenEstimator(regressor)).fit(frame).predict(frame)
    outputs = Values(lambda _: regressor.predict(frame))
    np.testing.assert_array_equal(values, SpectralStudent(outputs).fit(x).predict(x))


class Wrapped:
    """A teacher with something changed."""

    def __init__(self, inner, **changes):
        self.inner, self.changes = inner, changes

    def __getattr__(self, name):
        if name in self.changes:
            change = self.changes[name]
            return change(getattr(self.inner, name)) if name == "classes_" else change
        if name == "predict_proba" and "decision_function" in self.changes:
            raise AttributeError(name)
        return getattr(self.inner, name)


def fitted(classes=3):
    x, y = data(classes)
    return x, y, LogisticRegression(max_iter=500).fit(x, y)


def test_reordered_columns_follow_reordered_classes():
    x, y, inner = fitted()
    order = [2, 0, 1]
    teacher = Wrapped(
        inner, classes_=lambda c: c[order], decision_function=lambda z: inner.decision_function(z)[:, order]
    )
    student = SpectralStudentClassifier(teacher).fit(x, y)
    assert student.classes_.tolist() == [0, 1, 2]
    assert (student.predict(x) == inner.predict(x)).mean() > 0.95


def test_columns_of_rarely_met_classes_may_not_be_swapped():
    x, y, inner = fitted(10)
    swapped = [0, 1, 2, 3, 4, 5, 6, 7, 9, 8]
    teacher = Wrapped(inner, decision_function=lambda z: inner.decision_function(z)[:, swapped])
    with pytest.raises(
        ValueError, match=r"teacher: decision_function is largest in the column of class 8 for"
    ):
        SpectralStudentClassifier(teacher).fit(x, y)


REFUSED = {
    "columns reversed": (
        3,
        lambda t: {"decision_function": lambda z: t.decision_function(z)[:, ::-1]},
        "decision_function is largest in the column of class 0",
    ),
    "classes reversed": (3, lambda t: {"classes_": lambda c: c[::-1]}, "is largest in the column of class 2"),
    "sign of two classes": (
        2,
        lambda t: {"decision_function": lambda z: -t.decision_function(z)},
        "column of class 0",
    ),
    "distances": (
        3,
        lambda t: {"decision_function": lambda z: -t.decision_function(z)},
        "is largest in the column of class",
    ),
    "a column missing": (
        3,
        lambda t: {"decision_function": lambda z: t.decision_function(z)[:, :2]},
        r"gave shape \(150, 2\), needs \(150, 3\)",
    ),
    "one column of three classes": (
        3,
        lambda t: {"decision_function": lambda z: t.decision_function(z)[:, 0]},
        r"gave shape \(150,\), needs \(150, 3\)",
    ),
    "a column too many": (
        3,
        lambda t: {"decision_function": lambda z: np.c_[t.decision_function(z), z[:, 0]]},
        r"gave shape \(150, 4\)",
    ),
    "transposed": (
        3,
        lambda t: {"decision_function": lambda z: t.decision_function(z).T},
        r"gave shape \(3, 150\)",
    ),
    "a class missing": (
        3,
        lambda t: {"classes_": lambda c: c[:2]},
        r"has no class 2 of y; its classes are \[0, 1\]",
    ),
    "other names": (3, lambda t: {"classes_": lambda c: np.array(list("abc"))}, "has no class 0 of y"),
    "no number": (
        3,
        lambda t: {"decision_function": lambda z: np.full((len(z), 3), np.nan)},
        "decision_function gave 450 values that are not finite",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_follow_the_classes_is_refused(case):
    classes, changes, message = REFUSED[case]
    x, y, inner = fitted(classes)
    with pytest.raises(ValueError, match=rf"^teacher: .*{message}"):
        SpectralStudentClassifier(Wrapped(inner, **changes(inner))).fit(x, y)


class Probabilities:
    """A teacher with probabilities alone."""

    def __init__(self, inner, change):
        self.inner, self.change, self.classes_ = inner, change, inner.classes_

    def predict(self, x):
        return self.inner.predict(x)

    def predict_proba(self, x):
        return self.change(self.inner.predict_proba(x))


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda p: p[:, 1:], r"predict_proba gave shape \(150, 2\), needs \(150, 3\)"),
        (lambda p: p[:, ::-1], "predict_proba is largest in the column of class 0"),
        (lambda p: list(p[None]), "predict_proba gave a list of 1 arrays, needs one array"),
        (lambda p: 100 * p, "predict_proba gave .* to 9.*, needs 0 to 1"),
        (lambda p: p * np.nan, "predict_proba gave 450 values that are not finite"),
    ],
)
def test_probabilities_that_do_not_follow_the_classes_are_refused(change, message):
    x, y, inner = fitted()
    with pytest.raises(ValueError, match=message):
        SpectralStudentClassifier(Probabilities(inner, change)).fit(x, y)


def test_teachers_with_several_outputs_are_refused():
    x, y = data()
    both = np.c_[y, y == 0]
    for teacher in (RandomForestClassifier(3), MultiOutputClassifier(LogisticRegression(max_iter=500))):
        with pytest.raises(
            ValueError, match=r"^teacher: has 2 outputs with classes of their own, needs one$"
        ):
            SpectralStudentClassifier(teacher.fit(x, both)).fit(x, y)


def test_a_code_of_classes_has_no_outputs_to_imitate():
    x, y = data()
    with pytest.raises(AttributeError):
        SpectralStudentClassifier(OutputCodeClassifier(LinearSVC()).fit(x, y)).fit(x, y)


class Values:
    """A regressor that answers what it was built with."""

    def __init__(self, answer):
        self.answer = answer

    def predict(self, x):
        return self.answer(x)


@pytest.mark.parametrize(
    "answer, message",
    [
        (lambda x: x[:, :2], r"predict gave shape \(30, 2\) for 30 samples, needs one number each"),
        (lambda x: x[:5, 0], r"predict gave shape \(5,\)"),
        (lambda x: np.where(x[:, 0] > 0, np.nan, 1), "values that are not finite, needs finite numbers"),
        (lambda x: x[:, 0] / 0, "predict gave 30 values that are not finite"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_values_that_are_no_predictions_are_refused(answer, message):
    with pytest.raises(ValueError, match=rf"^teacher: .*{message}"):
        SpectralStudent(Values(answer)).fit(np.random.default_rng(0).normal(size=(30, 3)))
