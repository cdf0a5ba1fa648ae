"""The teachers on colour images, by name."""

from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from ntkd_lib.nets.alexnet import alexnet_cifar
from ntkd_lib.nets.compact_resnet import compact_resnet, wide_resnet
from ntkd_lib.nets.resnet import resnet18_pooled

TeacherName = Literal["compact", "wide", "alexnet", "resnet18"]
MAKERS = {
    "compact": compact_resnet,
    "wide": wide_resnet,
    "alexnet": alexnet_cifar,
    "resnet18": resnet18_pooled,
}
WHITENED = ("compact", "wide")  # start at whitened patches of the images


class Contrast(nn.Module):
    """``4 x - 2``: intensities in [0, 1] to values of mean about zero and spread about one."""

    def forward(self, images: Float[Tensor, "n l h w"]) -> Float[Tensor, "n l h w"]:
        """Compute the values."""
        return 4 * images - 2


def colour_teacher(name: TeacherName) -> nn.Sequential:
    """Build a teacher for 32 x 32 colour images with intensities in [0, 1].

    Args:
        name: ``compact`` (residual, 0.29 million weights), ``wide`` (the same with 2.0 million), ``alexnet``
            (4.4 million) or ``resnet18`` (11.2 million, pooled after the stem).

    Raises:
        ValueError: Another name.
    """
    if name not in MAKERS:
        raise ValueError(f"name: got {name!r}, allowed are {', '.join(MAKERS)}")
    return nn.Sequential(Contrast(), MAKERS[name]())
