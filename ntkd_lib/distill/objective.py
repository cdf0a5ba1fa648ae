"""What every objective shares: a batch with the teacher's outputs, and the form of a loss."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor

from ntkd_lib.optics.student import HybridStudent


@dataclass(frozen=True)
class Teacher:
    """What a fixed teacher says of every training image, in the order of the training set.

    Attributes:
        logits: Logits, ``(n, c)``; None where an objective does not use them.
        features: Landmark features of the trace kernel, ``(n, r)``; None likewise.
        diagonal: Exact diagonal of the trace kernel, ``(n,)``; None likewise.
    """

    logits: Float[Tensor, "n c"] | None = None
    features: Float[Tensor, "n r"] | None = None
    diagonal: Float[Tensor, " n"] | None = None


@dataclass(frozen=True)
class Batch:
    """One training batch.

    Attributes:
        images: Scene intensities in [0, 1] ``(b, 1, h, w)``, or read-outs of fixed optics ``(b, d)``.
        labels: Class indices, ``(b,)``.
        rows: Positions of the images in the training set, ``(b,)``.
        step: Number of the training step, from 0.
    """

    images: Float[Tensor, "b ..."]
    labels: Int[Tensor, " b"]
    rows: Int[Tensor, " b"]
    step: int = 0


Objective = Callable[[HybridStudent, Batch], Tensor]
Settings = Mapping[str, float]
