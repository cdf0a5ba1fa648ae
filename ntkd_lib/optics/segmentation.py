"""Students of the segmentation experiment: an optical front end and an up-convolution back end."""

from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from ntkd_lib.nets.back_ends import UpConvolutionBackEnd, UpSampling
from ntkd_lib.optics.cascade import BinnedLens, CascadeFrontEnd

MaskOptics = Literal["signed", "random", "lens", "random-positive"]


class MaskStudent(nn.Module):
    """Front end followed by a dense back end: ``f(x) = back(front(x))``, one logit per pixel.

    Args:
        front: Images ``(n, 3, h, w)`` to read-out ``(n, k, u, v)``.
        back: Read-out to logits ``(n, 1, h, w)``.
    """

    def __init__(self, front: CascadeFrontEnd | BinnedLens, back: nn.Module) -> None:
        super().__init__()
        self.front = front
        self.back = back

    def forward(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 1 h w"]:
        """Compute the logits of images."""
        return self.back(self.front(images))


def carvana_student(optics: MaskOptics = "signed", filters: int = 8) -> MaskStudent:
    """Build a student of the Carvana experiments, 234,873 parameters in its default form.

    Args:
        optics: Trained signed filters, 8 + 16 + 32 in three depths; the same left random; an ideal lens, all
            three with the up-convolution back end; or random non-negative PSFs with one up-sampling layer.
        filters: Number of random non-negative PSFs.

    >>> sum(p.numel() for p in carvana_student().parameters())
    234873
    """
    if optics == "random-positive":
        bare = CascadeFrontEnd((filters,), trainable=False, positive=True)
        return MaskStudent(bare, UpSampling(bare.channels))
    front = BinnedLens() if optics == "lens" else CascadeFrontEnd(trainable=optics == "signed")
    return MaskStudent(front, UpConvolutionBackEnd(front.channels))
