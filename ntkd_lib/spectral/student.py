"""Spectral students as scikit-learn estimators, and what they read of their teachers."""

from dataclasses import KW_ONLY, dataclass, field
from math import inf
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from jaxtyping import Float

from ntkd_lib.imports import extra

with extra("spectral"):
    import pandas as pd
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
    from sklearn.utils._param_validation import Interval
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, validate_data
from ntkd_lib.spectral.basis import eigenbasis
from ntkd_lib.spectral.fit import SpectralFit, fit_outputs
from ntkd_lib.spectral.kernels import BANDWIDTHS, gaussian_kernels
from ntkd_lib.spectral.low_rank import low_rank_basis
from ntkd_lib.spectral.modes import mode_table

_LEAST = 1e-6  # smallest probability of a teacher whose logarithm is imitated


def teacher_values(teacher: Any, x: Any) -> Float[np.ndarray, " n"]:
    """Predict one number per input by a fitted predictor.

    Raises:
        ValueError: Another number of values, or some that are not finite.
    """
    values = np.asarray(teacher.predict(x), dtype=np.float64)
    if values.size != len(x):
        raise ValueError(
            f"teacher: predict gave shape {values.shape} for {len(x)} samples, needs one number each"
        )
    return _finite(values.reshape(len(x)), "predict")


def teacher_logits(teacher: Any, x: Any, labels: np.ndarray) -> tuple[Float[np.ndarray, "n c"], np.ndarray]:
    """Compute a classifier's ``decision_function``, or the logarithm of its ``predict_proba``, less its mean.

    The columns are matched with ``classes_`` by what the teacher predicts: of the inputs that it puts into a
    class, most must have their largest output in the column of this class.

    Args:
        labels: Classes that occur, sorted.

    Returns:
        One column per class, and the classes, sorted.

    Raises:
        ValueError: Another number of columns than classes, columns of something else (such as pairs of
            classes), classes that the teacher does not know, several outputs, values that are not finite.
    """
    classes = getattr(teacher, "classes_", labels)
    if isinstance(classes, list) and any(np.ndim(part) for part in classes):
        raise ValueError(f"teacher: has {len(classes)} outputs with classes of their own, needs one")
    classes = np.asarray(classes)
    unknown = sorted(set(labels.tolist()) - set(classes.tolist()), key=str)
    if unknown:
        raise ValueError(f"teacher: has no class {unknown[0]!r} of y; its classes are {classes.tolist()}")
    name = "decision_function" if hasattr(teacher, "decision_function") else "predict_proba"
    outputs = _columns(getattr(teacher, name)(x), name, len(x), len(classes))
    if hasattr(teacher, "predict"):
        _match(outputs, np.asarray(teacher.predict(x)), classes, name)
    order = np.argsort(classes, kind="stable")
    return (outputs - outputs.mean(axis=1, keepdims=True))[:, order], classes[order]


def _columns(outputs: Any, name: str, n: int, count: int) -> Float[np.ndarray, "n c"]:
    if isinstance(outputs, list) and np.ndim(outputs[0]) > 1:
        raise ValueError(f"teacher: {name} gave a list of {len(outputs)} arrays, needs one array")
    outputs = _finite(np.asarray(outputs, dtype=np.float64), name)
    if name == "decision_function" and count == 2 and outputs.size == n:
        outputs = outputs.reshape(n)
        outputs = np.stack([-outputs, outputs], axis=1) / 2
    if outputs.shape != (n, count):
        raise ValueError(f"teacher: {name} gave shape {outputs.shape}, needs {(n, count)}: column per class")
    if name == "decision_function":
        return outputs
    if outputs.min() < 0 or outputs.max() > 1 + _LEAST:
        raise ValueError(f"teacher: {name} gave {outputs.min():g} to {outputs.max():g}, needs 0 to 1")
    return np.log(np.maximum(outputs, _LEAST))


def _match(outputs: np.ndarray, predicted: np.ndarray, classes: np.ndarray, name: str) -> None:
    """Refuse columns that do not follow the order of the classes."""
    largest = outputs >= outputs.max(axis=1, keepdims=True)  # a tie counts for all of its columns
    for column, label in enumerate(classes):
        rows = largest[predicted == label, column]
        if len(rows) and 2 * rows.sum() <= len(rows):
            raise ValueError(
                f"teacher: {name} is largest in the column of class {label!s} for {rows.sum()} of the "
                f"{len(rows)} inputs that it predicts as {label!s}; needs a column per class in the order "
                "of classes_ (of an SVC: decision_function_shape='ovr')"
            )


def _finite(values: np.ndarray, name: str) -> np.ndarray:
    if not np.isfinite(values).all():
        count = int((~np.isfinite(values)).sum())
        raise ValueError(f"teacher: {name} gave {count} values that are not finite, needs finite numbers")
    return values


@dataclass(eq=False, repr=False)
class _SpectralEstimator(BaseEstimator):
    """Base class of regressor and classifier: parameters, and the fit of outputs."""

    fit_: SpectralFit = field(init=False)
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "teacher": "no_validation",
        "kernel": [callable, None],
        "bandwidths": ["array-like"],
        "ridge": [Interval(Real, 0, inf, closed="neither"), None],
        "modes": [Interval(Integral, 1, None, closed="left"), None],
        "landmarks": [Interval(Integral, 2, None, closed="left"), None],
    }

    teacher: Any = None
    _: KW_ONLY
    kernel: Any = None
    bandwidths: Any = BANDWIDTHS
    ridge: Any = None
    modes: Any = None
    landmarks: Any = None

    def _imitate(self, x: np.ndarray, outputs: np.ndarray) -> Self:
        self._validate_params()
        if self.modes is not None and not 1 <= self.modes < len(x):
            raise ValueError(f"modes: got {self.modes}, needs 1 to {len(x) - 1}, or None for all")
        kernels = gaussian_kernels(x, self.bandwidths) if self.kernel is None else [self.kernel]
        if self.landmarks is None:
            bases = [eigenbasis(kernel, x) for kernel in kernels]
        else:
            bases = [low_rank_basis(kernel, x, self.landmarks) for kernel in kernels]
        self.fit_ = fit_outputs(bases, outputs, self.ridge, self.modes)
        return self

    @property
    def effective_parameters_(self) -> float:
        """Trace of the hat matrix, the constant left out."""
        return self.fit_.effective_parameters

    @property
    def stored_size_(self) -> int:
        """Numbers that a prediction needs, ``n d + n c``."""
        return self.fit_.stored_size

    def _outputs(self, x: Any) -> np.ndarray:
        check_is_fitted(self)
        return self.fit_.predict(validate_data(self, x, dtype=np.float64, reset=False))


class SpectralStudent(RegressorMixin, _SpectralEstimator):
    """A spectral student: kernel ridge regression on the teacher's outputs.

    ``f(x) = k(x, X) (K + alpha I)^-1 t`` on the centred Gram matrix ``K`` of the training inputs, with
    ``t`` the teacher's outputs there. ``alpha`` and the bandwidth are chosen by generalised
    cross-validation. Without a teacher it is kernel ridge regression on the labels: the control.

    scikit-learn's ``clone`` makes a teacher forget what it learned, unless ``FrozenEstimator`` wraps it.

    Source: spectral distillation paper, abstract; rebuilt as described in `book/deviations.md`.

    Args:
        teacher: Fitted predictor with ``predict``, which is called with ``X`` as it is, or None.
        kernel: Function of two sets of inputs that returns their Gram matrix; None for Gaussian kernels.
        bandwidths: Widths of the Gaussian kernels to choose from, as multiples of the median distance.
        ridge: Ridge ``alpha``; None for the choice of GCV.
        modes: Number of leading modes to keep; None for all, shrunk.
        landmarks: Number of training inputs on which the kernel is kept exact (Nystrom); None for an exact
            decomposition, which takes time ``n^3``.
    """

    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit to the teacher's outputs, or to labels without a teacher.

        Args:
            X: Training inputs, ``(n, d)``, at least 2.
            y: Labels, ``(n,)``; needed without a teacher.
        """
        if self.teacher is not None:
            inputs = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
            y = teacher_values(self.teacher, X)
        else:
            inputs, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True, ensure_min_samples=2)
        return self._imitate(inputs, np.asarray(y, dtype=np.float64)[:, None])

    def predict(self, X: Any) -> Float[np.ndarray, " m"]:
        """Predict the outputs of inputs, ``(m, d)``."""
        return self._outputs(X)[:, 0]

    def mode_table(self, y: Float[np.ndarray, " n"]) -> pd.DataFrame:
        """Describe every mode of the fit against labels of the training inputs, as `modes.mode_table`.

        The energy of the labels outside of the kept modes counts as that of the other modes, alike for all.
        """
        check_is_fitted(self)
        basis, shares = self.fit_.basis, self.fit_.shares
        centred = np.asarray(y, dtype=np.float64) - np.mean(y)
        labels = basis.coefficients(centred)
        others = len(centred) - 1 - len(labels)
        outside = max((centred**2).sum() - (labels**2).sum(), 0.0)
        labels = np.append(labels, np.full(max(others, 0), (outside / max(others, 1)) ** 0.5))
        return mode_table(basis.values, shares * self.fit_.coefficients[:, 0], labels, shares)


class SpectralStudentClassifier(ClassifierMixin, _SpectralEstimator):
    """A spectral student for classes: one output per class, fitted together with one ridge.

    With a teacher its ``decision_function``, or the logarithm of its ``predict_proba``, is imitated, less
    its mean over classes; without one, the classes as 0 and 1.

    Args:
        teacher: Fitted classifier, or None.
        kernel: As in `SpectralStudent`, as the other arguments.
    """

    classes_: np.ndarray

    def fit(self, X: Any, y: Any) -> Self:
        """Fit to the teacher's outputs, or to classes without a teacher.

        Args:
            X: Training inputs, ``(n, d)``, at least 2.
            y: Classes, ``(n,)``; they name the classes even if a teacher provides the outputs.

        Raises:
            ValueError: Fewer than two classes, or a teacher whose outputs do not follow them.
        """
        inputs, y = validate_data(self, X, y, dtype=np.float64, ensure_min_samples=2)
        check_classification_targets(y)
        self.classes_, places = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y: got one class, {self.classes_[0]!r}, needs at least 2")
        if self.teacher is None:
            return self._imitate(inputs, np.eye(len(self.classes_))[places])
        logits, self.classes_ = teacher_logits(self.teacher, X, self.classes_)
        return self._imitate(inputs, logits)

    def decision_function(self, X: Any) -> np.ndarray:
        """Compute one output per class, ``(m, c)``; for two classes the second minus the first."""
        outputs = self._outputs(X)
        return outputs[:, 1] - outputs[:, 0] if outputs.shape[1] == 2 else outputs

    def predict(self, X: Any) -> np.ndarray:
        """Predict the class with the largest output, for inputs ``(m, d)``."""
        places = self._outputs(X).argmax(axis=1)
        return self.classes_[places]
