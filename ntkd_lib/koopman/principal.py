"""Principal components of inputs and of hidden activations, with one scale for all scores."""

from dataclasses import dataclass

import numpy as np
import scipy.linalg
from jaxtyping import Float


@dataclass(frozen=True)
class PrincipalMap:
    r"""An affine map onto the leading principal components.

    $$p = U^\top (x - \mu) / s$$

    One scale s for all components, the largest standard deviation: scores are of order one and keep their
    proportions, so that a ridge on coefficients weighs functions of small components down.

    Attributes:
        directions: Orthonormal directions U, sorted by falling variance.
        scale: The scale s; 1 keeps the units of the inputs.
        variances: Variances along the directions, in units of the inputs.
    """

    mean: Float[np.ndarray, " p"]
    directions: Float[np.ndarray, "p d"]
    scale: float
    variances: Float[np.ndarray, " d"]

    def scores(self, inputs: Float[np.ndarray, "n p"]) -> Float[np.ndarray, "n d"]:
        """Compute the scores of inputs, in their type."""
        used = self.directions.astype(inputs.dtype)
        shift = (self.mean @ self.directions).astype(inputs.dtype)
        return (inputs @ used - shift) / inputs.dtype.type(self.scale)

    def restore(self, scores: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n p"]:
        """Map scores back to inputs in the span of the directions."""
        return self.mean + self.scale * scores @ self.directions.T


def fit_principal(inputs: Float[np.ndarray, "n p"], components: int, *, scaled: bool = True) -> PrincipalMap:
    """Find the leading principal components from the covariance matrix.

    Signs are fixed, as those of eigenvectors are free: the largest entry of each direction is positive.

    Args:
        components: How many; fewer if the inputs have fewer.
        scaled: Whether scores are divided by the largest standard deviation.
    """
    mean = inputs.mean(0, dtype=np.float64)
    centred = inputs - mean.astype(inputs.dtype)
    covariance = (centred.T @ centred).astype(np.float64) / len(inputs)
    values, vectors = scipy.linalg.eigh(covariance)
    values, vectors = values[::-1][:components].clip(min=0), vectors[:, ::-1][:, :components]
    largest = np.take_along_axis(vectors, np.abs(vectors).argmax(0)[None], 0)
    spread = float(np.sqrt(values[0])) if scaled and values[0] > 0 else 1.0
    return PrincipalMap(mean, vectors * np.where(largest < 0, -1.0, 1.0), spread, values)
