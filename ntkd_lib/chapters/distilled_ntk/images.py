"""Cells that distil images, stage 1 of the pipeline."""

from collections.abc import Mapping
from typing import Any

import torch

from ntkd_lib.chapters.distilled_ntk.network import restore_network
from ntkd_lib.chapters.distilled_ntk.scoring import to_numpy
from ntkd_lib.chapters.distilled_ntk.setting import prepare
from ntkd_lib.dntk.ledger import Clock
from ntkd_lib.dntk.matching import distil_images
from ntkd_lib.lab.cells import CellResult, Record


def distil(arguments: Mapping[str, Any], needs: Mapping[str, Record]) -> CellResult:
    """Distil images of each class.

    Args:
        arguments: What `prepare` takes, ``per_class`` and ``steps``.

    Returns:
        ``seconds`` of the distillation and its first and last loss; ``images`` and ``labels``.
    """
    setting = prepare(arguments)
    model = restore_network(needs["network"], arguments)
    clock = Clock(arguments["device"])
    with clock.measure():
        made = distil_images(
            model,
            setting.images,
            setting.labels,
            per_class=arguments["per_class"],
            steps=arguments["steps"],
            seed=arguments["seed"],
        )
    values = {"seconds": clock.seconds, "losses": [*made.losses[:1], *made.losses[-1:]]}
    return CellResult(values, {"images": to_numpy(made.images), "labels": made.labels.cpu().numpy()})


def restore_images(record: Record, device: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Give distilled images from their record."""
    images, labels = (torch.tensor(record.arrays[name], device=device) for name in ("images", "labels"))
    return images, labels
