"""ResNet-18 for small images."""

from torch import nn

from ntkd_lib.data.torchvision import import_torchvision


def resnet18_cifar(classes: int = 10) -> nn.Module:
    """Build torchvision's ResNet-18 with the stem that is usual for 32 x 32 images.

    A 3 x 3 convolution of stride 1 replaces the 7 x 7 one of stride 2, and no pooling follows it.

    Source: He, Zhang, Ren, Sun (2016), Sec. 4.2 for the stem.

    >>> sum(p.numel() for p in resnet18_cifar().parameters())
    11173962
    """
    net = import_torchvision().models.resnet18(num_classes=classes)
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
    net = import_torchvision().models.resnet18(num_classes=classes)
    net.conv1 = nn.Conv2d(1, 64, 7, stride=2, padding=3, bias=False)
    return net
