"""A classifier that is linear in lifted PCA scores, fitted to a certified optimum."""

import warnings
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from ntkd_lib.imports import extra

with extra("koopman"):
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.utils._param_validation import Interval, StrOptions
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, validate_data

from ntkd_lib.koopman.dictionaries import Dictionary, Monomials, radial_functions
from ntkd_lib.koopman.least_squares import normal_equations
from ntkd_lib.koopman.lifted import MEMORY, LiftedInputs, fit_principal
from ntkd_lib.koopman.newton import TOLERANCE, minimise
from ntkd_lib.koopman.problem import DistillationLoss, Problem
from ntkd_lib.koopman.settings import COUNT, POSITIVE, RIDGE, Setting, Table

DICTIONARIES = ("monomials", "orthogonal", "rbf")
LOSSES = ("kd", "ce", "kd_only", "least_squares")
EXACT = 64 * 2**20  # bytes of the lifted matrix up to which everything is done in float64


@dataclass(eq=False, repr=False)
class KoopmanClassifier(ClassifierMixin, BaseEstimator):
    r"""PCA, a fixed dictionary, and one linear map W to the logits.

    $$z = W \psi(\mathrm{PCA}_d(x))$$

    Losses: ``kd`` mixes a teacher's softened outputs and the labels, ``ce`` uses the labels only,
    ``kd_only`` the teacher only, ``least_squares`` regresses on the teacher's logits if they are given,
    else on one-hot labels. Dictionaries: ``monomials``; ``orthogonal``, the same span with the ridge on
    coefficients of the orthonormal polynomials (solved there, stored as monomial coefficients); ``rbf``, as
    many Gaussians as there would be monomials.

    Source: Kimura and Ohkubo (2026), abstract; all settings are ours, for theirs are not known.

    Args:
        degree: Largest degree q; sets the number of functions.
        n_components: Principal components d; fewer if the input has fewer.
        dictionary: One of ``monomials``, ``orthogonal``, ``rbf``.
        loss: One of ``ce``, ``kd``, ``kd_only``, ``least_squares``.
        alpha: Share of the teacher under ``kd``, in [0, 1].
        temperature: What logits are divided by under ``kd`` and ``kd_only``.
        ridge: Weight of the ridge term.
        width: Width of Gaussians, in median distances between centres.
        tolerance: Gradient norm to stop at, relative to that at W = 0.
        max_iter: Most Newton steps.
        random_state: Seed of the choice of centres.

    >>> inputs = np.random.default_rng(0).normal(size=(200, 2))
    >>> rings = (inputs**2).sum(1) > 1.4
    >>> model = KoopmanClassifier(degree=2, n_components=2, ridge=1e-6).fit(inputs, rings)
    >>> bool(model.score(inputs, rings) > 0.95), model.coef_.shape
    (True, (2, 6))
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "degree": [COUNT],
        "n_components": [COUNT],
        "dictionary": [StrOptions(set(DICTIONARIES))],
        "loss": [StrOptions(set(LOSSES))],
        "alpha": [Interval(Real, 0, 1, closed="both")],
        "temperature": [POSITIVE],
        "ridge": [RIDGE],
        "width": [POSITIVE],
        "tolerance": [Interval(Real, 0, 1, closed="neither")],
        "max_iter": [COUNT],
        "random_state": [Interval(Integral, 0, 2**63 - 1, closed="left")],
    }

    degree: Setting = 2
    n_components: Setting = 20
    dictionary: Setting = "monomials"
    loss: Setting = "ce"
    alpha: Setting = 0.5
    temperature: Setting = 2.0
    ridge: Setting = 1e-4
    width: Setting = 1.0
    tolerance: Setting = TOLERANCE
    max_iter: Setting = 40
    random_state: Setting = 0

    def fit(self, X: Table, y: Table, teacher_logits: Table | None = None) -> "KoopmanClassifier":
        """Fit W.

        Args:
            X: Inputs, ``(n, p)``.
            y: Labels, ``(n,)``.
            teacher_logits: A teacher's logits, in the order of the sorted labels; unused under ``ce``.
        """
        self._validate_params()
        vars(self).pop("optimum_", None)  # least squares sets none
        X, y = validate_data(self, X, y, dtype=(np.float64, np.float32))
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        teacher = self._teacher(teacher_logits, len(codes))
        self.input_map_ = fit_principal(X, self.n_components)
        scores = torch.from_numpy(self.input_map_.scores(X))
        self.dictionary_ = self._dictionary(scores)
        if self.dictionary_.count * len(X) * 8 <= EXACT:
            scores = scores.double()
        one_hot = torch.eye(len(self.classes_), dtype=scores.dtype)[torch.from_numpy(codes)].T.contiguous()
        self._solve(LiftedInputs(self.dictionary_, scores, memory=MEMORY), one_hot, teacher)
        return self

    def decision_function(self, X: Table) -> np.ndarray:
        """Compute logits ``(n, c)``; for two classes, as in scikit-learn, the second minus the first."""
        z = self._logits(X)
        return z[:, 1] - z[:, 0] if len(self.classes_) == 2 else z

    def predict_proba(self, X: Table) -> np.ndarray:
        """Compute class probabilities, ``softmax(z)``, ``(n, c)``."""
        return torch.from_numpy(self._logits(X)).softmax(1).numpy()

    def predict(self, X: Table) -> np.ndarray:
        """Predict the labels with the largest logit, ``(n,)``."""
        z = self._logits(X)
        return self.classes_[z.argmax(1)]

    def _logits(self, inputs: Table) -> np.ndarray:
        check_is_fitted(self)
        inputs = validate_data(self, inputs, dtype=np.float64, reset=False)
        lifted = LiftedInputs(self.dictionary_, torch.from_numpy(self.input_map_.scores(inputs)))
        weights = torch.from_numpy(self.coef_)
        return torch.cat([(weights @ block).T for block in lifted]).numpy()

    def _solve(self, lifted: LiftedInputs, one_hot: Tensor, teacher: Tensor | None) -> None:
        if self.loss == "least_squares":
            targets = one_hot if teacher is None else teacher
            equations = normal_equations(lifted, targets.double().T.numpy())
            orthogonal, self.n_iter_ = self.dictionary == "orthogonal", 1
            # squares of orthonormal coefficients sum to tr(W G W'), whose ridge only scales the solution
            self.coef_ = equations.solve() / (1 + self.ridge) if orthogonal else equations.solve(self.ridge)
            return
        alpha = {"ce": 0.0, "kd": self.alpha, "kd_only": 1.0}[self.loss]
        loss = DistillationLoss(alpha, self.temperature)
        soft = one_hot if teacher is None else loss.soften(teacher)
        problem = Problem(lifted, loss, one_hot, soft, self.ridge, self._penalty(lifted))
        self.optimum_ = minimise(problem, tolerance=self.tolerance, steps=self.max_iter)
        self.coef_, self.n_iter_ = self.optimum_.weights.numpy(), max(1, self.optimum_.steps)
        if self.optimum_.gradient > self.tolerance:
            warnings.warn(
                f"the gradient has fallen to {self.optimum_.gradient:.1e} of its start in {self.n_iter_} "
                f"steps, not to tolerance = {self.tolerance:g}; raise max_iter or tolerance",
                ConvergenceWarning,
                stacklevel=3,
            )

    def _penalty(self, lifted: LiftedInputs) -> Tensor | None:
        if self.dictionary != "orthogonal":
            return None
        gram = normal_equations(lifted, np.zeros((len(lifted), 0))).gram
        # functions that the data cannot tell apart would make the Gram matrix singular
        return torch.from_numpy(gram + 1e-12 * np.trace(gram) / len(gram) * np.eye(len(gram)))

    def _dictionary(self, scores: Tensor) -> Dictionary:
        monomials = Monomials(scores.shape[1], self.degree)
        if self.dictionary != "rbf":
            return monomials
        generator = torch.Generator().manual_seed(self.random_state)
        return radial_functions(scores, monomials.count, self.width, generator)

    def _teacher(self, logits: Table | None, n: int) -> Tensor | None:
        name, classes = type(self).__name__, len(self.classes_)
        if logits is None:
            if self.loss in ("kd", "kd_only"):
                raise ValueError(f"{name}: loss = {self.loss!r} needs teacher_logits; give them to fit")
            return None
        logits = np.asarray(logits)
        if logits.shape != (n, classes) or not np.isfinite(logits).all():
            count = int((~np.isfinite(logits)).sum())
            allowed = f"{(n, classes)}, all finite ({count} are not)"
            raise ValueError(f"{name}: teacher_logits of shape {logits.shape}; allowed: {allowed}")
        return torch.from_numpy(logits).double().T.contiguous()
