"""LeNet-5, the digital teacher for 28 x 28 images."""

from collections import OrderedDict

from torch import nn


def lenet(classes: int = 10) -> nn.Sequential:
    """Build LeNet-5 for single-channel 28 x 28 images, logits of shape ``(n, classes)``.

    Convolutions 6 and 16 of 5 x 5 without padding, ReLU, 2 x 2 maximum pooling, dense layers 120, 84 and
    ``classes``: 44,426 parameters for ten classes.

    Source: LeCun et al. (1998), with ReLU and maximum pooling in place of tanh and averaging. The teacher of
    the NTKD paper, Table 2, is a LeNet of the same size (44.4 k float32 weights are its "0.18M").

    >>> sum(p.numel() for p in lenet().parameters())
    44426
    """
    layers = OrderedDict(
        conv1=nn.Conv2d(1, 6, 5),
        relu1=nn.ReLU(),
        pool1=nn.MaxPool2d(2),
        conv2=nn.Conv2d(6, 16, 5),
        relu2=nn.ReLU(),
        pool2=nn.MaxPool2d(2),
        flatten=nn.Flatten(),
        dense1=nn.Linear(256, 120),
        relu3=nn.ReLU(),
        dense2=nn.Linear(120, 84),
        relu4=nn.ReLU(),
        dense3=nn.Linear(84, classes),
    )
    return nn.Sequential(layers)
