"""Types shared by objectives: a batch with the teacher's outputs, and the form of a loss."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor

from ntkd_lib.optics.student import HybridStudent


@dataclass(frozen=True)
class Teacher:
    """Outputs of a fixed teacher; None if an objective does not use them."""

    logits: Float[Tensor, "n c"] | None = None  # of the training set; those of the mirrored images may follow
    images: Float[Tensor, "a l h w"] | None = None  # whose tangent kernel is known
    features: Float[Tensor, "a r"] | None = None  # of their trace kernel, from landmarks or a sketch
    diagonal: Float[Tensor, " a"] | None = None  # of their trace kernel


@dataclass(frozen=True)
class Batch:
    """One training batch."""

    images: Float[Tensor, "b ..."]  # scene intensities in [0, 1] (b, l, h, w), or read-outs of fixed optics
    labels: Int[Tensor, " b"]  # class indices; -100 if a label is withheld
    rows: Int[Tensor, " b"]  # positions of the images in the training set
    step: int = 0  # number of the training step


Objective = Callable[[HybridStudent, Batch], Tensor]
Settings = Mapping[str, float | None]
