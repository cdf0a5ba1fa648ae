"""Digital processing of captures: subtract, rectify, average, and a layer that calibrates gains."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ntkd_lib.optics.student import HybridStudent


def read_out(
    captures: Float[Tensor, "n m c h w"], gains: Float[Tensor, "m c"], *, rectify: bool = True
) -> Float[Tensor, "n 1 r s"]:
    """Subtract pairs of captures, add up colours, rectify and average over 2 x 2 pixels.

    ``pool(r(sum_c g+ c+ + g- c-))`` with ``g-`` negative: what `SignedFrontEnd` does, from captures.

    Source: NTKD paper, Sec. 3.2.

    Args:
        captures: Positive captures first, ``m = 2 k`` for ``k`` filters.
        gains: Signed digital gains.
        rectify: Whether a ReLU follows the subtraction.

    Returns:
        Read-out, one filter's map below the other, as one grey image of ``k h / 2`` by ``w / 2``.
    """
    scaled = torch.einsum("nmchw,mc->nmhw", captures, gains)
    positive, negative = scaled.chunk(2, dim=1)
    maps = positive + negative
    maps = maps.relu() if rectify else maps
    return nn.functional.avg_pool2d(maps, 2).flatten(1, 2)[:, None]


class CapturedStudent(HybridStudent):
    """A digital back end on read-outs of captures: the optics are fixed, only digital weights are trained.

    Source: NTKD paper, Sec. 3.3 (the front end is frozen).
    """

    def __init__(self, back: nn.Sequential) -> None:
        nn.Module.__init__(self)
        self.front = nn.Flatten()
        self.back = back


class CalibratedStudent(nn.Module):
    """One trained gain per capture and colour, in front of a frozen back end.

    Source: Wei et al. (SVN3), arXiv 2308.03407, whose gains start at +1 and -1; here at the design's own.

    Args:
        back: Back end; frozen.
        gains: Signed gains to start from.
        rectify: Whether a ReLU follows the subtraction.
    """

    def __init__(self, back: nn.Sequential, gains: Float[Tensor, "m c"], *, rectify: bool = True) -> None:
        super().__init__()
        self.back = back.requires_grad_(False)
        self.register_buffer("start", gains.clone())
        self.factors = nn.Parameter(torch.ones_like(gains))
        self.rectify = rectify

    def forward(self, captures: Float[Tensor, "n m c h w"]) -> Float[Tensor, "n classes"]:
        """Compute the logits of captures."""
        gains = self.factors * self.start
        return self.back(read_out(captures, gains, rectify=self.rectify).flatten(1))
