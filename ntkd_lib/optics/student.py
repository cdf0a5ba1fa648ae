"""The hybrid student: an optical front end and a digital back end."""

from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from ntkd_lib.nets.back_ends import dense_back_end
from ntkd_lib.optics.front_end import IdealLens, SignedFrontEnd

Optics = Literal["signed", "random", "random-positive", "random-centred", "lens"]
Rectified = Literal["both", "capture", "hidden", "none"]


class HybridStudent(nn.Module):
    """Optical front end followed by a dense back end: ``f(x) = back(front(x))``.

    Source: NTKD paper, Eq. 5 and Table 2; the back end's widths and the place of its ReLU are not published.

    Args:
        front: Optical front end, images ``(n, 1, h, w)`` to read-out ``(n, d)``.
        back: Digital back end, read-out to logits ``(n, c)``.
    """

    def __init__(self, front: nn.Module, back: nn.Sequential) -> None:
        super().__init__()
        self.front = front
        self.back = back

    def forward(self, images: Float[Tensor, "n l h w"]) -> Float[Tensor, "n c"]:
        """Compute the logits of images."""
        return self.back(self.front(images))


def mnist_student(
    optics: Optics = "signed",
    rectified: Rectified = "both",
    hidden: tuple[int, ...] = (32,),
    filters: int = 8,
) -> HybridStudent:
    """Build the student of the MNIST experiments: 8 filters of 7 x 7, back end 1568-32-10.

    Args:
        optics: Trained signed filters, random ones, random non-negative ones (as they are, or with the mean
            of each capture subtracted), or an ideal lens.
        rectified: Where ReLUs stand: after the subtraction of captures, between dense layers, both, nowhere.
        hidden: Widths of the hidden dense layers; empty for a single dense layer.

    >>> sum(p.numel() for p in mnist_student().parameters())
    50930
    """
    front = IdealLens() if optics == "lens" else signed_front_end(optics, rectified, filters)
    back = dense_back_end((front.read_out, *hidden, 10), rectify=rectified in ("both", "hidden"))
    return HybridStudent(front, back)


def cifar_student(
    rectified: Rectified = "both",
    hidden: tuple[int, ...] = (360, 200),
    filters: int = 16,
    optics: Optics = "signed",
) -> HybridStudent:
    """Build the student of the CIFAR-10 experiments: 16 colour filters of 7 x 7, back end 4096-360-200-10.

    Source: NTKD paper, Table 2 (16 filters, three dense layers, "1.62M"; their widths are not published).

    Args:
        rectified: Where ReLUs stand, as in `mnist_student`.
        hidden: Widths of the hidden dense layers.
        optics: Front end, as in `mnist_student`. The lens reads out 3 x 35 x 39 = 4,095 values, one fewer
            than 16 filters do.

    >>> sum(p.numel() for p in cifar_student().parameters())
    1551482
    >>> cifar_student(optics="lens").front.read_out
    4095
    """
    lens = optics == "lens"
    front = IdealLens(35, 39, 3) if lens else signed_front_end(optics, rectified, filters, size=32, colours=3)
    back = dense_back_end((front.read_out, *hidden, 10), rectify=rectified in ("both", "hidden"))
    return HybridStudent(front, back)


def signed_front_end(optics: Optics, rectified: Rectified, filters: int, **shape: int) -> SignedFrontEnd:
    """Build the filters of a student, named as in `mnist_student`, of a shape as in `SignedFrontEnd`."""
    rectify, signs = rectified in ("both", "capture"), {"trainable": optics == "signed"}
    signs |= {"positive": optics.startswith("random-"), "centre": optics == "random-centred"}
    return SignedFrontEnd(filters, rectify=rectify, **signs, **shape)
