"""What objectives share: a batch with the teacher's outputs, the form of a loss, and the loss of labels."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

WITHHELD = -100  # what PyTorch's cross-entropy leaves out


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


Objective = Callable[[nn.Module, Batch], Tensor]
Settings = Mapping[str, float | None]


def label_loss(logits: Float[Tensor, "b c"], labels: Int[Tensor, " b"]) -> Float[Tensor, ""]:
    """Compute the mean cross-entropy of the images whose label is known, in nats; 0 if there are none."""
    reduction = "sum" if (labels == WITHHELD).all() else "mean"  # the mean of nothing is 0 / 0
    return cross_entropy(logits, labels, reduction=reduction)
