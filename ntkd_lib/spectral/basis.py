"""Eigenbasis of a centred Gram matrix on the training inputs, and its extension to new inputs."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ntkd_lib.spectral.kernels import Kernel

ASYMMETRY = 1e-5  # of the largest entry: what 32-bit rounding leaves

INDEFINITE = 1e-5  # of n times the largest entry: a negative eigenvalue beyond is none of rounding
FACTOR = 10.0  # ridges stay so many times above what rounding makes of an eigenvalue that is 0


@dataclass(frozen=True)
class Basis:
    """Eigenpairs of ``H K H``, ``H = I - 11'/n``, without the constant vector, on which it is 0.

    Attributes:
        vectors: Orthonormal eigenvectors as columns, each orthogonal to the constant, ``(n, n - 1)``.
    """

    x: Float[np.ndarray, "n d"]
    kernel: Kernel  # kernel that gave the Gram matrix ``K``
    values: Float[np.ndarray, " k"]  # eigenvalues, falling, none below 0, ``(n - 1,)``
    vectors: Float[np.ndarray, "n k"]
    row_means: Float[np.ndarray, " n"]  # means of the rows of ``K``
    rounding: float = 0.0  # by how much the kernel's precision can move an eigenvalue

    def coefficients(self, outputs: Float[np.ndarray, "n ..."]) -> Float[np.ndarray, "k ..."]:
        """Expand outputs on the training inputs, less their mean: ``a = U'f``.

        The sum of squares equals the centred outputs' (Parseval).
        """
        return self.vectors.T @ outputs

    def centred_cross(self, x: Float[np.ndarray, "m d"]) -> Float[np.ndarray, "m n"]:
        """Compute the Gram matrix of new and training inputs, centred on the training inputs.

        ``k_c(x) = H (k(x) - K1/n)``; the mean over new inputs plays no part.
        """
        cross = self.kernel(x, self.x) - self.row_means
        return cross - cross.mean(axis=1, keepdims=True)

    def expand(
        self, x: Float[np.ndarray, "m d"], weights: Float[np.ndarray, "k ..."]
    ) -> Float[np.ndarray, "m ..."]:
        """Evaluate ``sum_k w_k u_k(x)`` times the eigenvalues: the Nystrom extension ``k_c(x) U w``.

        The k-th eigenfunction off the sample is ``k_c(x) u_k / lambda_k``.

        Args:
            weights: Weights ``w`` by mode: weights of the eigenfunctions divided by their eigenvalues.
        """
        return self.centred_cross(x) @ (self.vectors @ weights)


def eigenbasis(kernel: Kernel, x: Float[np.ndarray, "n d"]) -> Basis:
    """Decompose the centred Gram matrix of training inputs, exactly, in 64-bit numbers.

    A reflection takes the constant vector out first: otherwise it mixes with modes whose eigenvalues round
    to 0.

    Args:
        x: Training inputs, at least two.

    Raises:
        ValueError: Fewer than two inputs, or a Gram matrix that is not finite, square, symmetric and positive
            semi-definite.
    """
    if len(x) < 2:
        raise ValueError(f"x: got {len(x)} sample, needs at least 2")
    raw = np.asarray(kernel(x, x))
    gram = _checked(raw.astype(np.float64), len(x))
    mirror = _mirror(len(x))
    values, vectors = np.linalg.eigh(_reflect(_reflect(gram, mirror).T, mirror)[1:, 1:])
    if values[0] < -INDEFINITE * np.abs(gram).max() * len(x):
        raise ValueError(
            f"kernel: has an eigenvalue of {values[0]:g} beside {values[-1]:g}, "
            "needs to be positive semi-definite"
        )
    full = np.vstack([np.zeros(len(x) - 1), vectors[:, ::-1]])
    lost = max(rounding(raw), -FACTOR * values[0])
    return Basis(x, kernel, np.maximum(values[::-1], 0), _reflect(full, mirror), gram.mean(axis=1), lost)


def rounding(gram: np.ndarray) -> float:
    """Bound by how much a Gram matrix's precision moves its eigenvalues: ``n eps max |k|``."""
    precision = np.finfo(gram.dtype if gram.dtype.kind == "f" else np.float64).eps
    return float(len(gram) * precision * np.abs(gram).max())


def _checked(gram: np.ndarray, n: int) -> np.ndarray:
    if gram.shape != (n, n):
        raise ValueError(f"kernel: gave shape {gram.shape} for {n} samples, needs {(n, n)}")
    if not np.isfinite(gram).all():
        raise ValueError("kernel: gave values that are not finite")
    difference = np.abs(gram - gram.T).max()
    if difference > ASYMMETRY * np.abs(gram).max():
        raise ValueError(f"kernel: differs from its transpose by up to {difference:g}, needs to be symmetric")
    return (gram + gram.T) / 2


def _mirror(n: int) -> np.ndarray:
    """Build the unit vector whose reflection maps the constant to the first axis."""
    mirror = np.full(n, n**-0.5)
    mirror[0] += 1
    return mirror / np.linalg.norm(mirror)


def _reflect(matrix: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    return matrix - 2 * np.outer(mirror, mirror @ matrix)
