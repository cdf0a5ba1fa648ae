"""Split a validation part off the training images."""

import torch
from jaxtyping import Int64
from torch import Tensor


def train_validation_split(
    n: int, seed: int, share: float = 0.1
) -> tuple[Int64[Tensor, " train"], Int64[Tensor, " validation"]]:
    """Draw which of `n` training images are held out for tuning; at least one falls on each side.

    The two parts are disjoint and cover everything; the first `n` alone and the seed decide, so that all
    methods of one seed tune on the same images.
    """
    if n < 2 or not 0 < share < 1:
        raise ValueError(f"cannot split n={n} with share={share}; allowed: n >= 2 and 0 < share < 1")
    held = min(max(round(n * share), 1), n - 1)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    return order[held:].sort().values, order[:held].sort().values
