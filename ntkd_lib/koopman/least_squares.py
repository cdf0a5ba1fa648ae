"""Least squares on lifted inputs, from sums that are streamed in float64."""

import warnings
from dataclasses import dataclass

import numpy as np
import scipy.linalg
from jaxtyping import Float, Int
from scipy.linalg.blas import dsyrk

from ntkd_lib.koopman.lifted import LiftedInputs

DROPPED = 1e-13  # eigenvalues below this share of the largest are rounding, in float64 sums


@dataclass(frozen=True)
class NormalEquations:
    r"""Second moments of a lift and its products with targets: all that least squares needs of the data.

    $$G = \frac1n \sum_i \psi_i \psi_i^\top, \qquad C = \frac1n \sum_i \psi_i t_i^\top$$

    Attributes:
        gram: G, float64.
        cross: C, float64.
    """

    gram: Float[np.ndarray, "m m"]
    cross: Float[np.ndarray, "m k"]

    def solve(self, ridge: float = 0.0) -> Float[np.ndarray, "k m"]:
        """Compute the weights W that minimise ``mean |W psi - t|^2 + ridge |W|^2``.

        Where G is singular to rounding it is the solution of least norm, as by the pseudo-inverse.
        """
        matrix = self.gram + ridge * np.eye(len(self.gram))
        with warnings.catch_warnings():
            warnings.simplefilter("error", scipy.linalg.LinAlgWarning)
            try:
                return scipy.linalg.solve(matrix, self.cross, assume_a="pos").T
            except (scipy.linalg.LinAlgError, scipy.linalg.LinAlgWarning):
                return self._least_norm()

    def _least_norm(self) -> Float[np.ndarray, "k m"]:
        values, vectors = scipy.linalg.eigh(self.gram)
        large = values > DROPPED * len(values) * values[-1]
        basis = vectors[:, large]
        return (basis @ ((basis.T @ self.cross) / values[large, None])).T

    def restrict(self, functions: Int[np.ndarray, " f"]) -> "NormalEquations":
        """Select some of the functions."""
        return NormalEquations(self.gram[np.ix_(functions, functions)], self.cross[functions])

    def condition(self, scale: Float[np.ndarray, " m"] | None = None) -> float:
        """Compute the condition number of the lifted design matrix (not of G, which is its square).

        It is at most 6.7e7, what sums in float64 can tell from infinity.

        Args:
            scale: Factor of each function; all 1 when left out.
        """
        factor = np.ones(len(self.gram)) if scale is None else scale
        values = scipy.linalg.eigvalsh(self.gram * factor[:, None] * factor)
        return float(np.sqrt(values[-1] / max(values[0], np.finfo(float).eps * values[-1])))


def normal_equations(lifted: LiftedInputs, targets: Float[np.ndarray, "n k"]) -> NormalEquations:
    """Sum second moments over all inputs, block by block."""
    exact, m = lifted.double(), lifted.dictionary.count
    gram = np.zeros((m, m), order="F")
    cross, start = np.zeros((m, targets.shape[1])), 0
    for block in exact:
        functions = block.numpy()
        end = start + functions.shape[1]
        # the transpose of a row-major block is column-major: no copy
        gram = dsyrk(1.0, functions.T, beta=1.0, c=gram, trans=1, overwrite_c=1)
        cross += functions @ targets[start:end]
        start = end
    full = np.triu(gram) + np.triu(gram, 1).T
    return NormalEquations(full / start, cross / start)
