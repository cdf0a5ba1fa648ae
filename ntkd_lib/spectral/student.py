"""Spectral students as scikit-learn estimators."""

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
from ntkd_lib.spectral.teacher import teacher_logits, teacher_values


class _SpectralEstimator(BaseEstimator):
    """Base class of regressor and classifier: parameters, and the fit of outputs."""

    fit_: SpectralFit
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "teacher": "no_validation",
        "kernel": [callable, None],
        "bandwidths": ["array-like"],
        "ridge": [Interval(Real, 0, inf, closed="neither"), None],
        "modes": [Interval(Integral, 1, None, closed="left"), None],
        "landmarks": [Interval(Integral, 2, None, closed="left"), None],
    }

    def __init__(
        self,
        teacher: Any = None,
        *,
        kernel: Any = None,
        bandwidths: Any = BANDWIDTHS,
        ridge: Any = None,
        modes: Any = None,
        landmarks: Any = None,
    ) -> None:
        # scikit-learn sets anything here and expects refusals from `fit` alone
        self.teacher = teacher
        self.kernel = kernel
        self.bandwidths = bandwidths
        self.ridge = ridge
        self.modes = modes
        self.landmarks = landmarks

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
        teacher: Fitted predictor with ``predict``, or None.
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
            X = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
            y = teacher_values(self.teacher, X)
        else:
            X, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True, ensure_min_samples=2)
        return self._imitate(X, np.asarray(y, dtype=np.float64)[:, None])

    def predict(self, X: Any) -> Float[np.ndarray, " m"]:
        """Predict the outputs of inputs, ``(m, d)``."""
        return self._outputs(X)[:, 0]

    def mode_table(self, y: Float[np.ndarray, " n"]) -> pd.DataFrame:
        """Describe every mode of the fit against labels of the training inputs, as `modes.mode_table`."""
        check_is_fitted(self)
        basis = self.fit_.basis
        labels = basis.coefficients(np.asarray(y, dtype=np.float64) - np.mean(y))
        return mode_table(basis.values, self.fit_.coefficients[:, 0], labels, self.fit_.shares)


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
        X, y = validate_data(self, X, y, dtype=np.float64, ensure_min_samples=2)
        check_classification_targets(y)
        self.classes_, places = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y: got one class, {self.classes_[0]!r}, needs at least 2")
        if self.teacher is None:
            return self._imitate(X, np.eye(len(self.classes_))[places])
        logits, self.classes_ = teacher_logits(self.teacher, X, self.classes_)
        return self._imitate(X, logits)

    def decision_function(self, X: Any) -> np.ndarray:
        """Compute one output per class, ``(m, c)``; for two classes the second minus the first."""
        outputs = self._outputs(X)
        return outputs[:, 1] - outputs[:, 0] if outputs.shape[1] == 2 else outputs

    def predict(self, X: Any) -> np.ndarray:
        """Predict the class with the largest output, for inputs ``(m, d)``."""
        places = self._outputs(X).argmax(axis=1)
        return self.classes_[places]
