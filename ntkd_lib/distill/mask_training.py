"""Training of networks for masks: counted in steps, images are bytes until they are used."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor, nn

from ntkd_lib.distill.dense import MaskBatch, MaskObjective
from ntkd_lib.distill.mask_scores import mean_iou
from ntkd_lib.distill.training import train, use_evaluation_mode

EVALUATIONS = 8


@dataclass(frozen=True)
class Masks:
    """Images with masks, as bytes: pixels from 0 to 255, and whether they belong to the object."""

    images: UInt8[Tensor, "n l h w"]
    masks: Bool[Tensor, "n h w"]


@dataclass(frozen=True)
class MaskSchedule:
    """Length and rate of a training: AdamW, linear warm-up over a tenth, then a cosine to zero."""

    steps: int  # 0 leaves a network at its start
    batch: int = 16  # images per step
    lr: float = 3e-3  # the largest one
    weight_decay: float = 1e-4  # decoupled
    half: bool = False  # whether convolutions are computed in bfloat16; weights stay in float32


def fit_masks(
    model: nn.Module, data: Masks, held_out: Masks, loss: MaskObjective, schedule: MaskSchedule
) -> list[float]:
    """Train a model in place and record its validation mean IoU in percent, eight times, evenly spaced.

    Every other batch is mirrored.

    Raises:
        DivergedError: A loss that is not finite; the message names the step.
    """
    batches = _batches(data, schedule, next(model.parameters()).device)

    def evaluate(net: nn.Module) -> float:
        return mean_iou(predict_masks(net, held_out.images), held_out.masks)

    return train_masks(model, batches, loss, schedule, evaluate, EVALUATIONS)


def train_masks(
    model: nn.Module,
    batches: Iterable[MaskBatch],
    loss: MaskObjective,
    schedule: MaskSchedule,
    evaluate: Callable[[nn.Module], float],
    evaluations: int,
) -> list[float]:
    """Train a network for masks in place on batches and record its validation score."""
    model.to(memory_format=torch.channels_last)
    trained = [p for p in model.parameters() if p.requires_grad]
    group = {"params": trained, "largest": schedule.lr, "weight_decay": schedule.weight_decay}
    length = {"steps": schedule.steps, "evaluations": evaluations, "mixed": schedule.half}
    return train(model, batches, loss, [group], evaluate, **length)


def scenes(images: UInt8[Tensor, "n l h w"], device: torch.device | str) -> Float[Tensor, "n l h w"]:
    """Convert bytes to scene intensities in [0, 1] on a device."""
    return images.to(device).float().div_(255).contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def predict_logits(
    model: nn.Module, images: UInt8[Tensor, "n l h w"], chunk: int = 32, dtype: torch.dtype = torch.float32
) -> Float[Tensor, "n h w"]:
    """Predict the logits of images in chunks, in evaluation mode; the mode is then restored."""
    device = next(model.parameters()).device
    logits = torch.empty((len(images), *images.shape[2:]), dtype=dtype)
    with use_evaluation_mode(model):
        for part, rows in zip(images.split(chunk), logits.split(chunk), strict=True):
            rows.copy_(model(scenes(part, device))[:, 0])
    return logits


def predict_masks(model: nn.Module, images: UInt8[Tensor, "n l h w"]) -> Bool[Tensor, "n h w"]:
    """Predict the masks of images: pixels with a logit above zero."""
    return predict_logits(model, images) > 0


def draw_rows(count: int, schedule: MaskSchedule) -> Iterator[Int[Tensor, " b"]]:
    """Draw the rows of each batch without replacement, epoch after epoch."""
    order = torch.empty(0, dtype=torch.long)
    batch = min(schedule.batch, count)
    for _ in range(schedule.steps):
        if len(order) < batch:
            order = torch.randperm(count)
        rows, order = order[:batch], order[batch:]
        yield rows


def _batches(data: Masks, schedule: MaskSchedule, device: torch.device) -> Iterator[MaskBatch]:
    for step, rows in enumerate(draw_rows(len(data.images), schedule)):
        mirrored = step % 2 == 1
        images, masks = scenes(data.images[rows], device), data.masks[rows].to(device).float()
        if mirrored:
            images, masks = images.flip(3), masks.flip(2)
        yield MaskBatch(images, masks, rows, mirrored, step)
