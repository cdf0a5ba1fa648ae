"""Training of back ends for masks on read-outs that were captured once."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ntkd_lib.distill.dense import MaskBatch, MaskObjective
from ntkd_lib.distill.mask_scores import mean_iou
from ntkd_lib.distill.mask_training import EVALUATIONS, MaskSchedule, train_masks

CHUNK = 32


@dataclass(frozen=True)
class ReadOuts:
    """Read-outs with masks, which mark the pixels of the object."""

    images: Float[Tensor, "n l h w"]
    masks: Bool[Tensor, "n h w"]


def fit_read_outs(
    model: nn.Module, data: ReadOuts, held_out: ReadOuts, loss: MaskObjective, schedule: MaskSchedule
) -> list[float]:
    """Train a model in place and record its validation mean IoU in percent, eight times, evenly spaced.

    As `fit_masks`, but nothing is mirrored: filters are not symmetric, so that the mirror image of a capture
    is no capture of the mirrored scene.

    Raises:
        DivergedError: A loss that is not finite; the message names the step.
    """

    def evaluate(net: nn.Module) -> float:
        return mean_iou(guessed_masks(net, held_out.images), held_out.masks)

    return train_masks(model, _batches(data, schedule), loss, schedule, evaluate, EVALUATIONS)


@torch.no_grad()
def guessed_masks(model: nn.Module, images: Float[Tensor, "n l h w"]) -> Bool[Tensor, "n h w"]:
    """Put a network into evaluation mode and predict the masks of read-outs: logits above zero."""
    model.eval()
    return torch.cat([model(part)[:, 0] > 0 for part in images.split(CHUNK)])


def _batches(data: ReadOuts, schedule: MaskSchedule) -> Iterator[MaskBatch]:
    """Draw batches without replacement, epoch after epoch."""
    order = torch.empty(0, dtype=torch.long)
    batch = min(schedule.batch, len(data.images))
    for step in range(schedule.steps):
        if len(order) < batch:
            order = torch.randperm(len(data.images))
        rows, order = order[:batch], order[batch:]
        yield MaskBatch(data.images[rows], data.masks[rows].float(), rows, step=step)
