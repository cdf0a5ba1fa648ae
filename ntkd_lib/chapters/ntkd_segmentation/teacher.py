"""Cells that train the teacher and keep what it says."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from ntkd_lib.chapters.ntkd_segmentation.scores import held_out_scores
from ntkd_lib.chapters.ntkd_segmentation.setting import prepare
from ntkd_lib.distill import dense_labels
from ntkd_lib.distill.dense import DenseTeacher
from ntkd_lib.distill.mask_training import MaskSchedule, fit_masks, predict_logits
from ntkd_lib.distill.training import converged
from ntkd_lib.lab.cells import CellResult, Record
from ntkd_lib.nets.unet import ShuffledNetwork, UNet

FACTOR, WIDTH, DEPTH = 2, 12, 3
LR, DECAY = 5e-3, 1e-3


def build_teacher() -> nn.Module:
    """Build the teacher: a U-Net on 2 x 2 pixels as channels, the cheapest form that we found good enough."""
    return ShuffledNetwork(UNet(3 * FACTOR**2, FACTOR**2, WIDTH, DEPTH), FACTOR)


def train(arguments: Mapping[str, Any], needs: Mapping[str, Record]) -> CellResult:
    """Train the teacher on masks, convolutions in bfloat16.

    Args:
        arguments: ``data``, ``sha256``, ``seed``, ``device``, ``steps``, ``batch``.

    Returns:
        Scores in percent, the validation curve and the number of parameters; weights by name.
    """
    del needs
    setting = prepare(arguments)
    model = build_teacher().to(arguments["device"])
    schedule = MaskSchedule(arguments["steps"], arguments["batch"], LR, DECAY, half=True)
    objective = dense_labels.build({}, DenseTeacher())
    curve = fit_masks(model, setting.train, setting.followed, objective, schedule)
    weights = {f"weights.{k}": v.detach().cpu().numpy() for k, v in model.state_dict().items()}
    values = {
        **held_out_scores(model, setting),
        "curve": curve,
        "converged": converged(curve),
        "parameters": sum(p.numel() for p in model.parameters()),
    }
    return CellResult(values, weights)


def speak(arguments: Mapping[str, Any], needs: Mapping[str, Record]) -> CellResult:
    """Keep the teacher's logits of all training images, in half precision.

    Args:
        arguments: ``data``, ``sha256``, ``seed``, ``device``.

    Returns:
        Mean absolute logit; array ``logits``, ``(n, h, w)``.
    """
    setting = prepare(arguments)
    model = restore_teacher(needs["teacher"], arguments["device"])
    logits = predict_logits(model, setting.train.images, dtype=torch.float16)
    return CellResult({"mean_size": logits[:100].float().abs().mean().item()}, {"logits": logits.numpy()})


def restore_teacher(record: Record, device: str = "cpu") -> nn.Module:
    """Rebuild the teacher from its record."""
    return restore(build_teacher(), record).to(device).eval()


def restore(model: nn.Module, record: Record) -> nn.Module:
    """Load the weights of a record into a network."""
    prefix = "weights."
    weights = {
        k.removeprefix(prefix): torch.tensor(v) for k, v in record.arrays.items() if k.startswith(prefix)
    }
    model.load_state_dict(weights)
    return model
