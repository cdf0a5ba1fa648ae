"""Cells that train teachers and keep what students and least squares read of them."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from ntkd_lib.data.load import load, train_validation_split
from ntkd_lib.distill.objective import Batch
from ntkd_lib.distill.training import Images, Schedule, accuracy, converged, fit, predict
from ntkd_lib.lab.cells import CellResult, Record
from ntkd_lib.lab.seeds import deterministic
from ntkd_lib.nets.perceptron import mlp
from ntkd_lib.nets.resnet import resnet18_grey

WIDTHS = (784, 256, 64, 10)
TEACHER_LR, TEACHER_DECAY, TEACHER_BATCH = 3e-3, 1e-2, 256
VALIDATION_SHARE = 1 / 6


def train(arguments: Mapping[str, Any], needs: Mapping[str, Record]) -> CellResult:
    """Train an MLP 784-256-64-10, or a ResNet-18.

    Args:
        arguments: ``data``, ``sha256``, ``seed``, ``images``, ``epochs``, ``network``.

    Returns:
        Accuracies in percent; ``logits`` and ``hidden`` (the input of the last layer) of all training images,
        and the last layer's ``weight`` and ``bias``.
    """
    del needs
    train_images, test = (images_of(arguments, split) for split in ("train", "test"))
    rows, held_out = split_of(arguments, len(train_images.labels))
    deterministic(arguments["seed"])
    model = build(arguments["network"])
    schedule = Schedule(arguments["epochs"], TEACHER_BATCH, lr=TEACHER_LR, weight_decay=TEACHER_DECAY)
    curve = fit(
        model,
        train_images,
        rows,
        held_out,
        _loss,
        schedule,
    )
    hidden = predict(model[:-1], train_images.images)
    values = {
        "accuracy": accuracy(model, test, torch.arange(len(test.labels))),
        "validation": accuracy(model, train_images, held_out),
        "converged": converged(curve),
    }
    return CellResult(values, _arrays(hidden, model[-1]))


def build(network: str) -> nn.Sequential:
    """Build a teacher; its last module is its last dense layer."""
    if network == "mlp":
        return mlp(WIDTHS)
    whole = resnet18_grey()
    last, whole.fc = whole.fc, nn.Identity()
    return nn.Sequential(whole, last)


def _loss(model: nn.Module, batch: Batch) -> torch.Tensor:
    # normalisation by batches while training, by running means whenever accuracy is asked for
    model.train()
    with torch.autocast("cpu", torch.bfloat16, enabled=not isinstance(model[0], nn.Flatten)):
        logits = model(batch.images)
    model.eval()
    return cross_entropy(logits.float(), batch.labels)


@torch.no_grad()
def _arrays(hidden: torch.Tensor, last: nn.Module) -> dict[str, Any]:
    parts = {"hidden": hidden, "logits": last(hidden), "weight": last.weight, "bias": last.bias}
    return {name: part.detach().numpy() for name, part in parts.items()}


def images_of(arguments: Mapping[str, Any], split: str) -> Images:
    """Load a split, the first images of it.

    Args:
        arguments: ``data``, ``sha256`` (which the data must have), ``images``.

    Returns:
        Intensities in [0, 1] and labels.
    """
    data = load(arguments["data"], split, expect=arguments["sha256"])
    count = arguments["images"]
    return Images(data.images[:count].float() / 255, data.labels[:count])


def split_of(arguments: Mapping[str, Any], count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw which images are for training and which for validation; the seed alone decides."""
    return train_validation_split(count, arguments["seed"], VALIDATION_SHARE)
