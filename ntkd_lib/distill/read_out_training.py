"""Training of back ends for masks on read-outs that were captured once."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ntkd_lib.distill.dense import MaskBatch, MaskObjective
from ntkd_lib.distill.mask_scores import mean_iou
from ntkd_lib.distill.mask_training import EVALUATIONS, MaskSchedule, draw_rows, train_masks
from ntkd_lib.distill.training import use_evaluation_mode

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

    drawn = enumerate(draw_rows(len(data.images), schedule))
    batches = (MaskBatch(data.images[r], data.masks[r].float(), r, step=step) for step, r in drawn)
    return train_masks(model, batches, loss, schedule, evaluate, EVALUATIONS)


@torch.no_grad()
def guessed_masks(model: nn.Module, images: Float[Tensor, "n l h w"]) -> Bool[Tensor, "n h w"]:
    """Predict the masks of read-outs, logits above zero, in evaluation mode; the mode is then restored."""
    with use_evaluation_mode(model):
        return torch.cat([model(part)[:, 0] > 0 for part in images.split(CHUNK)])
