"""The naive method: least squares from lifted inputs to the activations that enter a last layer."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float

from ntkd_lib.imports import extra

with extra("koopman"):
    from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
    from sklearn.utils.validation import check_is_fitted, validate_data

from ntkd_lib.koopman.dictionaries import Monomials
from ntkd_lib.koopman.least_squares import NormalEquations, normal_equations
from ntkd_lib.koopman.lifted import MEMORY, LiftedInputs, PrincipalMap, fit_principal
from ntkd_lib.koopman.settings import COUNT, RIDGE, Setting, Table


@dataclass(eq=False, repr=False)
class EDMDSurrogate(MultiOutputMixin, RegressorMixin, BaseEstimator):
    r"""Predict a layer of a network from its input by extended dynamic mode decomposition.

    $$K = \Psi_h \Psi_x^{+}, \qquad \hat h(x) = \mathrm{PCA}_{d'}^{-1}(\text{degree-1 block of } K \psi(p))$$

    Rows of K are independent least-squares problems, and only those of the degree-1 block are read when the
    teacher's own last layer is applied. So only these are computed unless ``full`` asks for all. Two facts
    follow: with all hidden components and the same ridge this is least squares to the teacher's logits; and
    the degree of the dictionary on the hidden side changes nothing.

    Source: Kimura and Ohkubo (2026), abstract, for the method compared with; Williams, Kevrekidis and Rowley
    (2015), Eq. 12, for K. Its exact form in the paper is not known to us.

    Args:
        degree: Largest degree q of the monomials.
        n_components: Principal components d of the input; fewer if the input has fewer.
        hidden_components: Principal components d' of the layer; all when None.
        ridge: Ridge on the coefficients; 0 is the pseudo-inverse.
        full: Whether to compute all rows of K.

    >>> inputs = np.random.default_rng(0).normal(size=(100, 3))
    >>> squares = inputs**2 @ np.ones((3, 2))  # in the span of monomials up to degree 2
    >>> model = EDMDSurrogate(degree=2, n_components=3).fit(inputs, squares)
    >>> np.allclose(model.predict(inputs), squares)
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "degree": [COUNT],
        "n_components": [COUNT],
        "hidden_components": [COUNT, None],
        "ridge": [RIDGE],
        "full": ["boolean"],
    }

    degree: Setting = 2
    n_components: Setting = 20
    hidden_components: Setting = None
    ridge: Setting = 0.0
    full: Setting = False

    def fit(self, X: Table, y: Table) -> "EDMDSurrogate":
        """Fit K to pairs of inputs and layer activations.

        Args:
            X: Inputs, ``(n, p)``.
            y: Activations, ``(n, w)`` or ``(n,)``.

        Raises:
            ValueError: A setting out of its range.
        """
        self._validate_params()
        X, y = validate_data(self, X, y, multi_output=True, y_numeric=True, dtype=np.float64)
        hidden = np.asarray(y, np.float64).reshape(len(y), -1)
        if (self.hidden_components or 0) > hidden.shape[1]:
            raise ValueError(
                f"hidden_components: got {self.hidden_components}, allowed: 1 to {hidden.shape[1]}, the width"
            )
        self.input_map_ = fit_principal(X, self.n_components)
        self.hidden_map_ = fit_principal(hidden, self.hidden_components or hidden.shape[1], scaled=False)
        self.dictionary_ = Monomials(self.input_map_.directions.shape[1], self.degree)
        equations = normal_equations(self._lifted(X), self._targets(hidden))
        self.koopman_ = equations.solve(self.ridge)
        self.condition_ = equations.condition()
        self.flat_ = np.ndim(y) == 1
        return self

    def predict(self, X: Table) -> np.ndarray:
        """Predict the layer, shaped as the activations it was fitted to."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        rows = self.koopman_[1 : 1 + self.hidden_map_.directions.shape[1]] if self.full else self.koopman_
        scores = np.concatenate([(rows @ block.numpy()).T for block in self._lifted(X)])
        restored = self.hidden_map_.restore(scores)
        return restored.ravel() if self.flat_ else restored

    def logits(
        self, X: Table, weight: Float[np.ndarray, "c w"], bias: Float[np.ndarray, " c"]
    ) -> Float[np.ndarray, "n c"]:
        """Apply the teacher's own last layer to the predicted activations."""
        return self.predict(X).reshape(len(X), -1) @ weight.T + bias

    def _lifted(self, inputs: np.ndarray) -> LiftedInputs:
        return LiftedInputs(self.dictionary_, torch.from_numpy(self.input_map_.scores(inputs)), memory=MEMORY)

    def _targets(self, hidden: np.ndarray) -> np.ndarray:
        scores = self.hidden_map_.scores(hidden)
        if not self.full:
            return scores
        return Monomials(scores.shape[1], self.degree).lift(torch.from_numpy(scores)).T.numpy()


def read_out(
    equations: NormalEquations,
    hidden: PrincipalMap,
    ridge: float,
    last_layer: tuple[Float[np.ndarray, "c w"], Float[np.ndarray, " c"]],
) -> Float[np.ndarray, "c m"]:
    r"""Fold EDMD and the teacher's last layer into one linear map of the lifted input, the constant first.

    $$W = B\, U\, K_1, \qquad \text{first column} \mathrel{+}= B \mu + b$$

    Args:
        equations: Sums whose targets are the scores of the layer.
        hidden: The map of the layer, unscaled; its leading components are used as far as the targets go.
        last_layer: The teacher's weights B and biases b.
    """
    weight, bias = last_layer
    koopman = equations.solve(ridge)
    folded = weight @ hidden.directions[:, : len(koopman)] @ koopman
    folded[:, 0] += weight @ hidden.mean + bias
    return folded
