"""The kernel of a dense layer on the read-out of random filters, without the read-out itself."""

import torch
from jaxtyping import Float
from torch import Tensor

from ntkd_lib.optics.front_end import SignedFrontEnd

BLOCK = 25  # filters at a time


@torch.no_grad()
def random_filter_kernel(
    train: Float[Tensor, "n l h w"],
    other: Float[Tensor, "m l h w"],
    count: int,
    *,
    positive: bool = True,
    centre: bool = False,
    seed: int = 0,
) -> tuple[Float[Tensor, "n n"], Float[Tensor, "m n"]]:
    """Sum products of read-outs over random filters, some filters at a time.

    ``K(x, x') = 1 / count sum_k h_k(x) . h_k(x')``: ridge regression with it is that of one dense layer on
    all read-outs, whose number, 196,000 for 1,000 filters on digits, never enters memory.

    Source: NTKD paper, Table 5 (random PSFs).

    Args:
        positive: Whether filters are non-negative; then a ReLU changes nothing unless ``centre`` is set.
        centre: Whether the mean of each capture is subtracted before the ReLU.
        seed: Seed of the filters; torch's global generator is left as it is.

    Returns:
        Kernel of the training images, and between the other images and these.
    """
    generator = torch.Generator().manual_seed(seed)
    own, cross = train.new_zeros(len(train), len(train)), train.new_zeros(len(other), len(train))
    form = {"colours": train.shape[1], "rectify": centre or not positive, "centre": centre}
    for start in range(0, count, BLOCK):
        with torch.random.fork_rng(devices=[]):  # its own filters are replaced
            front = SignedFrontEnd(min(BLOCK, count - start), train.shape[2], trainable=False, **form)
        weight = torch.rand(front.filters.shape, generator=generator)
        weight = weight if positive else 2 * weight - 1
        front.filters.copy_(weight / front.filters[0].numel() ** 0.5)
        left, right = front.to(train)(train), front(other)
        own.addmm_(left, left.T, alpha=1 / count)
        cross.addmm_(right, left.T, alpha=1 / count)
    return own, cross
