"""The teachers on colour images by name: residual networks and an AlexNet for 32 x 32 images."""

from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from ntkd_lib.data.torchvision import torchvision


class ResidualStage(nn.Module):
    """Two 3 x 3 convolutions; the first halves the image, the second is skipped by a sum.

    ``u = r(norm(pool(a * x)))`` and ``y = u + r(norm(b * u))`` with ``r`` the GELU.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.enter = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.enter_norm = nn.BatchNorm2d(outputs)
        self.inner = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.inner_norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Float[Tensor, "n a h w"]) -> Float[Tensor, "n b v u"]:
        """Compute maps of half the height and width."""
        x = functional.gelu(self.enter_norm(functional.max_pool2d(self.enter(x), 2)))
        return x + functional.gelu(self.inner_norm(self.inner(x)))


def compact_resnet(classes: int = 10, widths: tuple[int, int, int] = (32, 96, 96)) -> nn.Sequential:
    """Build a 2 x 2 convolution, three residual stages, a 3 x 3 maximum, and a dense layer.

    Source: Jordan (2024), arXiv 2404.00498, in narrower form and with the skips of its deepest variant.

    >>> sum(p.numel() for p in compact_resnet().parameters())
    294786
    """
    stages = [ResidualStage(a, b) for a, b in pairwise((24, *widths))]
    first = nn.Conv2d(3, 24, 2)
    head = (nn.MaxPool2d(3), nn.Flatten(), nn.Linear(widths[-1], classes))
    return nn.Sequential(first, nn.GELU(), *stages, *head)


def wide_resnet(classes: int = 10) -> nn.Sequential:
    """Build `compact_resnet` at the widths of its source: it learns faster, at four times the operations.

    >>> sum(p.numel() for p in wide_resnet().parameters())
    1972802
    """
    return compact_resnet(classes, (64, 256, 256))


@torch.no_grad()
def whiten_first(net: nn.Sequential, images: Float[Tensor, "n 3 h w"]) -> None:
    """Initialise the first convolution with filters that decorrelate patches of the images.

    ``w_i = v_i / sqrt(l_i)`` and ``-w_i`` for the eigenpairs of the patches' second moment, the bias such
    that a patch of mean colour gives zero.

    Source: Jordan (2024), Sec. 3.2; there these filters are never trained.
    """
    first = net[0]
    patches = images.unfold(2, 2, 1).unfold(3, 2, 1).permute(0, 2, 3, 1, 4, 5).reshape(-1, 12).double()
    mean = patches.mean(0)
    values, vectors = torch.linalg.eigh((patches - mean).T @ (patches - mean) / len(patches))
    filters = (vectors / (values + 5e-4).sqrt()).T
    weight = torch.cat([filters, -filters])
    first.weight.copy_(weight.view(24, 3, 2, 2))
    first.bias.copy_(-weight @ mean)


def resnet18_cifar(classes: int = 10) -> nn.Module:
    """Build torchvision's ResNet-18 with the stem that is usual for 32 x 32 images.

    A 3 x 3 convolution of stride 1 replaces the 7 x 7 one of stride 2, and no pooling follows it.

    Source: He, Zhang, Ren, Sun (2016), Sec. 4.2 for the stem.

    >>> sum(p.numel() for p in resnet18_cifar().parameters())
    11173962
    """
    net = torchvision.models.resnet18(num_classes=classes)
    net.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
    net.maxpool = nn.Identity()
    return net


def resnet18_pooled(classes: int = 10) -> nn.Module:
    """Build `resnet18_cifar` with 2 x 2 max pooling after its stem, at a quarter of the operations.

    >>> sum(p.numel() for p in resnet18_pooled().parameters())
    11173962
    """
    net = resnet18_cifar(classes)
    net.maxpool = nn.MaxPool2d(2)
    return net


def resnet18_grey(classes: int = 10) -> nn.Module:
    """Build torchvision's ResNet-18 for grey images, its stem otherwise as it is.

    >>> sum(p.numel() for p in resnet18_grey().parameters())
    11175370
    """
    net = torchvision.models.resnet18(num_classes=classes)
    net.conv1 = nn.Conv2d(1, 64, 7, stride=2, padding=3, bias=False)
    return net


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
