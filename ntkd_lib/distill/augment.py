"""Augmentation of training images."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional


def random_shift(images: Float[Tensor, "n c h w"], pixels: int) -> Float[Tensor, "n c h w"]:
    """Shift each image by its own whole number of pixels, dark if nothing moves in.

    Args:
        pixels: Largest shift in either direction and axis; 0 leaves the images alone.
    """
    if pixels == 0:
        return images
    n, _, height, width = images.shape
    padded = functional.pad(images, (pixels,) * 4)
    down, right = torch.randint(0, 2 * pixels + 1, (2, n)).to(images.device)
    places = padded.unfold(2, height, 1).unfold(3, width, 1).permute(0, 2, 3, 1, 4, 5)  # a view, not a copy
    return places[torch.arange(n, device=images.device), down, right]


def random_mirror(images: Float[Tensor, "n c h w"]) -> tuple[Float[Tensor, "n c h w"], Bool[Tensor, " n"]]:
    """Mirror half of the images, drawn at random, left to right, and mark which."""
    mirrored = (torch.rand(len(images)) < 0.5).to(images.device)
    return torch.where(mirrored[:, None, None, None], images.flip(3), images), mirrored
