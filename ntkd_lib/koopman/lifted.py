"""Principal components, and lifted inputs block by block: in memory if they fit, else made in each pass."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.linalg
from jaxtyping import Float, Int
from torch import Tensor

from ntkd_lib.koopman.dictionaries import Dictionary


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


BLOCK = 512  # images; a block of 861 float32 functions stays in the cache between its two products
MEMORY = 512 * 2**20  # bytes


class LiftedInputs:
    """The lifted design matrix of some inputs, one block of columns after another.

    60,000 inputs and 12,341 functions are 3 GB in float32; such a matrix is never held. One of at most
    ``memory`` bytes is kept after its first pass.
    """

    def __init__(self, dictionary: Dictionary, scores: Float[Tensor, "n d"], *, memory: int = MEMORY) -> None:
        self.dictionary = dictionary
        self.scores = scores
        self.memory = memory
        self._held: list[Tensor] = []

    @property
    def size(self) -> int:
        """Bytes of the whole matrix."""
        return self.dictionary.count * len(self.scores) * self.scores.element_size()

    @property
    def streamed(self) -> bool:
        """Whether each pass recomputes the functions."""
        return self.size > self.memory

    def __len__(self) -> int:
        return len(self.scores)

    def __iter__(self) -> Iterator[Float[Tensor, "m b"]]:
        """Yield the blocks, functions along rows."""
        if self._held:
            yield from self._held
            return
        made = []
        for part in self.scores.split(BLOCK):
            block = self.dictionary.lift(part)
            if not self.streamed:
                made.append(block)
            yield block
        self._held = made  # only after a whole pass: whoever stops early has not seen all blocks

    def subset(self, rows: Int[Tensor, " k"]) -> "LiftedInputs":
        """Select some of the inputs."""
        return LiftedInputs(self.dictionary, self.scores[rows], memory=self.memory)

    def double(self) -> "LiftedInputs":
        """Return the lift in float64, recomputed in each pass."""
        return LiftedInputs(self.dictionary, self.scores.double(), memory=0)
