"""Random filter errors for training a student before any metasurface exists."""

import torch
from jaxtyping import Float
from torch import Tensor

from ntkd_lib.optics.alignment_errors import moved
from ntkd_lib.optics.front_end import split_signed
from ntkd_lib.optics.strength import EXTENT


def perturb_filters(filters: Float[Tensor, "k c s s"], strength: float) -> Float[Tensor, "k c s s"]:
    """Perturb filters as a faulty device does: each pair is shifted apart, dimmed and noised.

    Each part of a pair is shifted by normal numbers of ``strength`` times the misalignment of `EXTENT` and
    scaled by ``exp(strength gain N)``, with its gain; then ``0.2 strength`` of the largest entry is added as
    normal noise, which models all errors on the metasurface.

    Source: "vaccinated" training, V-D2NN, arXiv 2005.11464.

    Args:
        filters: Signed filters.
        strength: Share of the full extent, 0 or more.
    """
    if not strength:
        return filters
    positive, negative, gain = split_signed(filters)
    parts = torch.cat([positive, negative])
    shifted = moved(parts, shift=EXTENT["misalignment"] * strength * torch.randn(*parts.shape[:2], 2))
    dimmed = shifted * (EXTENT["gain"] * strength * torch.randn(*parts.shape[:2], 1, 1)).exp().to(parts)
    stained = dimmed + 0.2 * strength * torch.randn(parts.shape).to(parts)
    plus, minus = stained.chunk(2)
    return gain[None, :, None, None] * (plus - minus)
