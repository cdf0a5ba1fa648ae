"""An AlexNet for 32 x 32 colour images."""

from torch import nn


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
