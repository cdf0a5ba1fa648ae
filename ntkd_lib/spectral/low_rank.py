"""Eigenbasis of a low-rank kernel, for sample sizes at which an exact decomposition is too slow."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from ntkd_lib.spectral.basis import FACTOR, rounding
from ntkd_lib.spectral.kernels import Kernel

_BLOCK = 2000  # rows at a time


@dataclass(frozen=True)
class LowRankBasis:
    """Eigenpairs of the centred Nystrom kernel ``H C W^+ C' H`` on landmarks among the training inputs.

    Attributes:
        trace_error: Trace of the exact less the Nystrom kernel. The difference has no negative eigenvalue,
            so this bounds its Frobenius and its spectral norm, and by how much any eigenvalue is too small.
    """

    x: Float[np.ndarray, "n d"]
    kernel: Kernel
    landmarks: Float[np.ndarray, "m d"]  # inputs on which the kernel is exact, ``(m, d)``
    values: Float[np.ndarray, " r"]  # eigenvalues, falling, above 0, ``(r,)``
    vectors: Float[np.ndarray, "n r"]  # orthonormal eigenvectors, ``(n, r)``
    maps: Float[np.ndarray, "m r"]  # from kernel values at the landmarks to the eigenfunctions, ``(m, r)``
    shift: Float[np.ndarray, " r"]  # their mean over the training inputs
    trace_error: float
    rounding: float = 0.0  # by how much the kernel's precision can move an eigenvalue

    def coefficients(self, outputs: Float[np.ndarray, "n ..."]) -> Float[np.ndarray, "r ..."]:
        """Expand outputs on the training inputs, less their mean; what lies outside the modes is lost."""
        return self.vectors.T @ outputs

    def expand(
        self, x: Float[np.ndarray, "m d"], weights: Float[np.ndarray, "r ..."]
    ) -> Float[np.ndarray, "m ..."]:
        """Evaluate ``sum_k w_k lambda_k u_k(x)``, as `Basis.expand` does."""
        functions = self.kernel(x, self.landmarks) @ self.maps - self.shift
        return functions @ (self.values[:, None] * weights)


def low_rank_basis(kernel: Kernel, x: Float[np.ndarray, "n d"], count: int, seed: int = 0) -> LowRankBasis:
    """Decompose the Nystrom kernel of landmarks drawn without replacement, in ``O(n count^2)``.

    Source: Williams, Seeger (2001); the trace bound as in Drineas, Mahoney (2005).

    Raises:
        ValueError: Fewer than 2 landmarks, or more than inputs.
    """
    if not 2 <= count <= len(x):
        raise ValueError(f"landmarks: got {count}, needs 2 to {len(x)}, the number of samples")
    rows: Int[np.ndarray, " m"] = np.sort(np.random.default_rng(seed).permutation(len(x))[:count])
    landmarks = x[rows]
    gram = np.asarray(kernel(landmarks, landmarks))
    scale, lost = _inverse_root(gram)
    features, trace = _features(kernel, x, landmarks, scale)
    centre = features.mean(axis=0)
    features -= centre
    values, turn = _falling(features.T @ features)
    maps = turn / np.sqrt(values)
    parts, rest = (features @ maps, scale @ maps, centre @ maps), max(trace, 0.0)
    return LowRankBasis(x, kernel, landmarks, values, *parts, rest, lost * len(x) / count)


def _features(
    kernel: Kernel, x: np.ndarray, landmarks: np.ndarray, scale: np.ndarray
) -> tuple[np.ndarray, float]:
    """Compute features whose Gram matrix is the Nystrom kernel, and the trace that it lacks."""
    blocks = [kernel(x[i : i + _BLOCK], landmarks) @ scale for i in range(0, len(x), _BLOCK)]
    features = np.vstack(blocks)
    diagonal = sum(float(kernel(row[None], row[None])[0, 0]) for row in x)
    return features, diagonal - float((features**2).sum())


def _inverse_root(gram: np.ndarray) -> tuple[np.ndarray, float]:
    """Compute the inverse root of a Gram matrix, and by how much rounding moves its eigenvalues."""
    exact = gram.astype(np.float64)
    values, turn = np.linalg.eigh((exact + exact.T) / 2)
    lost = rounding(gram)
    root, turn = _falling((exact + exact.T) / 2, lost if gram.dtype != np.float64 else 0.0)
    return turn / np.sqrt(root), max(lost, -FACTOR * values[0])


def _falling(matrix: np.ndarray, least: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Compute eigenpairs in falling order, those that round to 0 left out."""
    values, vectors = np.linalg.eigh(matrix)
    positive = values > max(len(values) * np.finfo(float).eps * values[-1], least)
    return values[positive][::-1], vectors[:, positive][:, ::-1]
