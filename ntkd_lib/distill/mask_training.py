"""The training loop of networks for masks: counted in steps, images kept as bytes until they are used."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor, nn

from ntkd_lib.distill.dense import MaskBatch, MaskObjective
from ntkd_lib.distill.mask_scores import mean_iou
from ntkd_lib.distill.training import DivergedError

EVALUATIONS = 8


@dataclass(frozen=True)
class Masks:
    """Images with masks, as bytes.

    Attributes:
        images: Pixels from 0 to 255.
        masks: Whether a pixel belongs to the object.
    """

    images: UInt8[Tensor, "n l h w"]
    masks: Bool[Tensor, "n h w"]


@dataclass(frozen=True)
class MaskSchedule:
    """Length and rate of a training: AdamW, linear warm-up over a tenth, then a cosine to zero.

    Attributes:
        steps: Training steps; 0 leaves a network at its start.
        batch: Images per step.
        lr: Largest learning rate.
        weight_decay: Decoupled weight decay.
        half: Whether convolutions are computed in bfloat16 (weights stay in float32).
    """

    steps: int
    batch: int = 16
    lr: float = 3e-3
    weight_decay: float = 1e-4
    half: bool = False

    def rate(self, step: int) -> float:
        """Compute the share of the largest learning rate at a step, in (0, 1]."""
        warm = max(1, self.steps // 10)
        if step < warm:
            return (step + 1) / warm
        return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, self.steps - warm)))


def fit_masks(
    model: nn.Module, data: Masks, held_out: Masks, loss: MaskObjective, schedule: MaskSchedule
) -> list[float]:
    """Train a model in place and record its validation score; every other batch is mirrored.

    Args:
        loss: Objective of a model and a batch.

    Returns:
        Validation mean IoU in percent, eight times, evenly spaced.

    Raises:
        DivergedError: A loss that is not finite; the message names the step.
    """
    model.to(memory_format=torch.channels_last)
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(parameters, lr=schedule.lr, weight_decay=schedule.weight_decay, fused=True)
    marks = {round(schedule.steps * (i + 1) / EVALUATIONS) for i in range(EVALUATIONS)}
    curve: list[float] = []
    for batch in _batches(data, schedule, parameters[0].device):
        model.train()
        optimiser.param_groups[0]["lr"] = schedule.lr * schedule.rate(batch.step)
        with torch.autocast(batch.images.device.type, torch.bfloat16, enabled=schedule.half):
            value = loss(model, batch)
        optimiser.zero_grad(set_to_none=True)
        value.backward()
        optimiser.step()
        if batch.step + 1 in marks:
            if not torch.isfinite(value):
                raise DivergedError(f"loss is {value.item()} after step {batch.step + 1} of {schedule.steps}")
            curve.append(mean_iou(predict_masks(model, held_out.images), held_out.masks))
    model.eval()
    return curve


def scenes(images: UInt8[Tensor, "n l h w"], device: torch.device | str) -> Float[Tensor, "n l h w"]:
    """Convert bytes to scene intensities in [0, 1] on a device.

    Args:
        images: Pixels from 0 to 255.
    """
    return images.to(device).float().div_(255).contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def predict_logits(
    model: nn.Module, images: UInt8[Tensor, "n l h w"], chunk: int = 32, dtype: torch.dtype = torch.float32
) -> Float[Tensor, "n h w"]:
    """Predict the logits of images in chunks.

    Args:
        model: Network; put into evaluation mode.
        images: Pixels from 0 to 255.
        dtype: Type of the result.
    """
    model.eval()
    device = next(model.parameters()).device
    logits = torch.empty((len(images), *images.shape[2:]), dtype=dtype)
    for part, rows in zip(images.split(chunk), logits.split(chunk), strict=True):
        rows.copy_(model(scenes(part, device))[:, 0])
    return logits


def predict_masks(model: nn.Module, images: UInt8[Tensor, "n l h w"]) -> Bool[Tensor, "n h w"]:
    """Predict the masks of images: pixels with a logit above zero.

    Args:
        model: Network; put into evaluation mode.
        images: Pixels from 0 to 255.
    """
    return predict_logits(model, images) > 0


def _batches(data: Masks, schedule: MaskSchedule, device: torch.device) -> Iterator[MaskBatch]:
    """Draw batches without replacement, epoch after epoch."""
    order = torch.empty(0, dtype=torch.long)
    batch = min(schedule.batch, len(data.images))
    for step in range(schedule.steps):
        if len(order) < batch:
            order = torch.randperm(len(data.images))
        rows, order = order[:batch], order[batch:]
        mirrored = step % 2 == 1
        images, masks = scenes(data.images[rows], device), data.masks[rows].to(device).float()
        if mirrored:
            images, masks = images.flip(3), masks.flip(2)
        yield MaskBatch(images, masks, rows, mirrored, step)
