"""The teachers on colour images by name, an AlexNet for 32 x 32 among them."""

from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from ntkd_lib.nets.compact_resnet import compact_resnet, wide_resnet
from ntkd_lib.nets.resnet import resnet18_pooled


def alexnet_cifar(classes: int = 10, hidden: int = 1024, dropout: float = 0.5) -> nn.Sequential:
    """Build AlexNet's five convolutions and three dense layers in the size of CIFAR images.

    Convolutions of 64, 192, 384, 256 and 256 filters of 3 x 3, ReLU, 2 x 2 maximum pooling after the first,
    second and last, dense layers ``hidden``, ``hidden`` and ``classes``.

    Source: Krizhevsky, Sutskever, Hinton (2012), without its local normalisation; the NTKD paper's teacher
    for CIFAR-10 is an AlexNet, its CIFAR form is not published.

    Args:
        dropout: Share of values dropped before each hidden dense layer in training.

    The network goes from ``(n, 3, 32, 32)`` to logits ``(n, classes)``.

    >>> sum(p.numel() for p in alexnet_cifar().parameters())
    4361034
    """
    widths = (3, 64, 192, 384, 256, 256)
    layers: list[nn.Module] = []
    for i, pooled in enumerate((True, True, False, False, True)):
        stride = 2 if i == 0 else 1
        layers += [nn.Conv2d(widths[i], widths[i + 1], 3, stride=stride, padding=1), nn.ReLU()]
        layers += [nn.MaxPool2d(2)] if pooled else []
    layers += [nn.Flatten(), nn.Dropout(dropout), nn.Linear(1024, hidden), nn.ReLU(), nn.Dropout(dropout)]
    return nn.Sequential(*layers, nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, classes))


TeacherName = Literal["compact", "wide", "alexnet", "resnet18"]
NETS = {"compact": compact_resnet, "wide": wide_resnet, "alexnet": alexnet_cifar, "resnet18": resnet18_pooled}
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
    if name not in NETS:
        raise ValueError(f"name: got {name!r}, allowed are {', '.join(NETS)}")
    return nn.Sequential(Contrast(), NETS[name]())
