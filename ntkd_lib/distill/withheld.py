"""Few labels: withhold most labels of the training images."""

import torch
from jaxtyping import Int
from torch import Tensor

from ntkd_lib.distill.training import Images

WITHHELD = -100  # what PyTorch's cross-entropy leaves out


def withhold(
    data: Images, rows: Int[Tensor, " n"], share: float, seed: int
) -> tuple[Images, Int[Tensor, " m"]]:
    """Withhold the labels of most training images; return these images, and the rows of an epoch.

    An epoch has as many rows as before: half of them are images whose label is known, as often as needed, the
    other half any training images. Labels enter a loss if they are known; a teacher's outputs on an
    image enter for all. Labels of other rows, such as validation images, stay.

    Args:
        share: Share of them whose labels are known, in (0, 1]; 1 changes nothing.
        seed: Seed of the draw, so that methods of one seed know the same labels.

    Raises:
        ValueError: A share outside of (0, 1].
    """
    if not 0 < share <= 1:
        raise ValueError(f"share: got {share}, needs to be above 0 and at most 1")
    if share == 1:
        return data, rows
    order = rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(seed)).to(rows.device)]
    labelled = order[: max(1, round(share * len(rows)))]
    labels = data.labels.clone()
    labels[order[len(labelled) :]] = WITHHELD
    half = len(rows) // 2
    repeated = labelled.repeat(-(-half // len(labelled)))[:half]
    return Images(data.images, labels), torch.cat([repeated, order[: len(rows) - half]])
