"""Cells that train teachers."""

from collections.abc import Mapping
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from ntkd_lib.chapters.ntkd_classification.setting import prepare
from ntkd_lib.distill.training import Schedule, accuracy, converged, fit, predict
from ntkd_lib.lab.cells import CellResult, Record
from ntkd_lib.nets.lenet5 import lenet

TEACHER_LR, TEACHER_DECAY, TEACHER_SHIFT = 4e-3, 1e-3, 2


def train(arguments: Mapping[str, Any], needs: Mapping[str, Record]) -> CellResult:
    """Train a LeNet with shifted images, or leave it at its start for ``epochs = 0``.

    Args:
        arguments: ``data``, ``seed``, ``device``, ``epochs``, ``batch``.

    Returns:
        Accuracies in percent; weights by name and ``logits`` of all training images.
    """
    del needs
    setting = prepare(arguments)
    model = lenet().to(arguments["device"], memory_format=torch.channels_last)  # a fifth faster on a CPU
    schedule = Schedule(
        arguments["epochs"],
        arguments["batch"],
        lr=TEACHER_LR,
        weight_decay=TEACHER_DECAY,
        shift=TEACHER_SHIFT,
    )
    curve = fit(
        model,
        setting.train,
        setting.rows,
        setting.held_out,
        lambda net, batch: cross_entropy(net(batch.images), batch.labels),
        schedule,
    )
    everything = torch.arange(len(setting.test.labels), device=arguments["device"])
    weights = {f"weights.{k}": v.detach().cpu().contiguous().numpy() for k, v in model.state_dict().items()}
    return CellResult(
        {
            "accuracy": accuracy(model, setting.test, everything),
            "curve": curve,
            "converged": converged(curve),
        },
        {**weights, "logits": predict(model, setting.train.images).cpu().numpy()},
    )
