"""Initial filters: the principal components of image patches."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from ntkd_lib.optics.front_end import SignedFrontEnd


@torch.no_grad()
def start_at_components(front: SignedFrontEnd, images: Float[Tensor, "n l h w"]) -> None:
    """Initialise filters, in place, with principal components of patches of some training images.

    The first component, the patch's brightness, is left out: its read-out would be large everywhere and say
    little. With ``v_i`` the next ones, filters are ``v_2, v_3, ..., -v_2, -v_3, ...``, so that the ReLU keeps
    both halves of each; their maps have unit spread.
    """
    count, colours, size, _ = front.filters.shape
    patches = images.unfold(2, size, 2).unfold(3, size, 2).permute(0, 2, 3, 1, 4, 5)
    patches = patches.reshape(-1, colours * size**2).double()
    centred = patches - patches.mean(0)
    vectors = torch.linalg.eigh(centred.T @ centred).eigenvectors.flip(1)
    halves = vectors[:, 1 : 1 + math.ceil(count / 2)].T
    front.filters.copy_(torch.cat([halves, -halves])[:count].view_as(front.filters))
    set_unit_spread(front, images)


@torch.no_grad()
def set_unit_spread(front: SignedFrontEnd, images: Float[Tensor, "n l h w"]) -> None:
    """Scale each filter, in place, so that its map before the ReLU has standard deviation one.

    Raises:
        ValueError: A filter whose map does not vary over the images.
    """
    spread = front.maps(images).std(dim=(0, 1, 3))
    if not (spread > 0).all():
        raise ValueError("images: got a map that does not vary, allowed: images that differ")
    front.filters /= spread[:, None, None, None]
