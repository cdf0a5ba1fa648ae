"""What every cell of notebook 01 starts from: seeds, images on the device, and the split."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from ntkd_lib.data.load import load, train_validation_split
from ntkd_lib.distill.training import Images
from ntkd_lib.records.seeds import deterministic

VALIDATION_SHARE = 1 / 12


@dataclass(frozen=True)
class Setting:
    """Data of one cell.

    Attributes:
        train: The whole training set.
        rows: Positions to train on.
        held_out: Positions of the validation images.
        test: The test set, read once, after training.
    """

    train: Images
    rows: Int[Tensor, " n"]
    held_out: Int[Tensor, " v"]
    test: Images


def prepare(arguments: Mapping[str, Any]) -> Setting:
    """Fix all seeds and load the data of a cell; the split depends on the seed alone.

    Args:
        arguments: ``data``, ``sha256`` (which the data must have), ``seed`` and ``device``.

    Returns:
        The data on the device.
    """
    train, test = (_images(arguments, split) for split in ("train", "test"))
    rows, held_out = train_validation_split(len(train.labels), arguments["seed"], VALIDATION_SHARE)
    deterministic(arguments["seed"])
    device = arguments["device"]
    return Setting(train, rows.to(device), held_out.to(device), test)


def _images(arguments: Mapping[str, Any], split: str) -> Images:
    data = load(arguments["data"], split, expect=arguments["sha256"])
    device = torch.device(arguments["device"])
    return Images(data.images.to(device).float() / 255, data.labels.to(device))
