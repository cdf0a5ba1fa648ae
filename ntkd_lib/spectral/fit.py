"""Fits in an eigenbasis: shrinkage by GCV, and predictions off the sample by the Nystrom extension."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ntkd_lib.spectral.basis import Basis
from ntkd_lib.spectral.certificates import parseval_tail
from ntkd_lib.spectral.low_rank import LowRankBasis
from ntkd_lib.spectral.shrinkage import ResidualModes, choose_ridge, shrinkage


@dataclass(frozen=True)
class SpectralFit:
    """Kernel ridge regression on centred outputs, ``f(x) = mean + sum_k u_k(x) h_k a_k``.

    Attributes:
        rest: Squared length of the centred outputs outside the modes, ``(c,)``; 0 in an exact basis.
    """

    basis: Basis | LowRankBasis
    mean: Float[np.ndarray, " c"]  # means of the outputs, ``(c,)``
    coefficients: Float[np.ndarray, "k c"]  # coefficients ``a`` of the centred outputs, ``(k, c)``
    rest: Float[np.ndarray, " c"]
    ridge: float  # ridge ``alpha``
    shares: Float[np.ndarray, " k"]  # shrinkage ``h`` of each mode; 0 for a mode that is cut
    score: float  # GCV score of all modes at this ridge

    @property
    def effective_parameters(self) -> float:
        """Trace of the hat matrix, the constant left out: ``tr H = sum_k h_k``."""
        return float(self.shares.sum())

    @property
    def stored_size(self) -> int:
        """Numbers that a prediction needs: all inputs and one coefficient per output, ``n d + n c``.

        In a low-rank basis ``n`` is the number of landmarks.
        """
        inputs = getattr(self.basis, "landmarks", self.basis.x)
        return inputs.size + len(inputs) * len(self.mean)

    @property
    def certificate(self) -> Float[np.ndarray, " c"]:
        """Exact root-mean-square difference of targets and fit on the training inputs."""
        return parseval_tail(self.coefficients, self.shares, self.rest, len(self.basis.x))

    def predict(self, x: Float[np.ndarray, "m d"]) -> Float[np.ndarray, "m c"]:
        """Predict outputs."""
        cut = self.shares[:, None] > 0
        weights = np.where(cut, self.coefficients / (self.basis.values + self.ridge)[:, None], 0)
        return self.mean + self.basis.expand(x, weights)


def fit_outputs(
    bases: Sequence[Basis | LowRankBasis],
    outputs: Float[np.ndarray, "n c"],
    ridge: float | None = None,
    modes: int | None = None,
) -> SpectralFit:
    """Fit outputs in each basis and return the fit with the lowest GCV score.

    Args:
        bases: Eigenbases on the same inputs, one per bandwidth.
        ridge: Ridge; None for GCV's choice.
        modes: Keep the leading modes only; None for all.
    """
    return min((_fit(basis, outputs, ridge, modes) for basis in bases), key=lambda fit: fit.score)


def _fit(
    basis: Basis | LowRankBasis, outputs: np.ndarray, ridge: float | None, modes: int | None
) -> SpectralFit:
    mean = outputs.mean(axis=0)
    coefficients = basis.coefficients(outputs - mean)
    missing = len(outputs) - 1 - len(basis.values)
    rest = _outside(outputs - mean, coefficients) if missing else np.zeros(outputs.shape[1])
    ridges = None if ridge is None else [ridge]
    choice = choose_ridge(
        basis.values, coefficients, ridges, ResidualModes(missing, float(rest.sum())), basis.rounding
    )
    shares = shrinkage(basis.values, choice.ridge)
    if modes is not None:
        shares = np.where(np.arange(len(shares)) < modes, shares, 0)
    return SpectralFit(basis, mean, coefficients, rest, choice.ridge, shares, choice.score)


def _outside(centred: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    return np.maximum((centred**2).sum(axis=0) - (coefficients**2).sum(axis=0), 0)
