"""Types shared by objectives: a batch with the teacher's outputs, and the form of a loss."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor

from ntkd_lib.optics.student import HybridStudent


@dataclass(frozen=True)
class Teacher:
    """Outputs of a fixed teacher; None if an objective does not use them.

    Attributes:
        logits: Logits of the training set, ``(n, c)``; those of the mirrored images may follow.
        images: Images whose tangent kernel is known, ``(a, l, h, w)``.
        features: Features of their trace kernel, from landmarks or a sketch, ``(a, r)``.
        diagonal: Diagonal of their trace kernel, ``(a,)``.
    """

    logits: Float[Tensor, "n c"] | None = None
    images: Float[Tensor, "a l h w"] | None = None
    features: Float[Tensor, "a r"] | None = None
    diagonal: Float[Tensor, " a"] | None = None


@dataclass(frozen=True)
class Batch:
    """One training batch.

    Attributes:
        images: Scene intensities in [0, 1] ``(b, l, h, w)``, or read-outs of fixed optics ``(b, d)``.
        labels: Class indices, ``(b,)``; -100 if a label is withheld.
        rows: Positions of the images in the training set, ``(b,)``.
        step: Number of the training step, from 0.
    """

    images: Float[Tensor, "b ..."]
    labels: Int[Tensor, " b"]
    rows: Int[Tensor, " b"]
    step: int = 0


Objective = Callable[[HybridStudent, Batch], Tensor]
Settings = Mapping[str, float | None]
