"""What every cell on colour images starts from: seeds, images on the device, and one split for all."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from ntkd_lib.chapters.ntkd_classification.setting import Setting
from ntkd_lib.data.load import Split, load, train_validation_split
from ntkd_lib.distill.training import Images
from ntkd_lib.lab.seeds import deterministic

VALIDATION_SHARE = 1 / 10
SPLIT_SEED = 0  # one teacher serves all seeds, so none may validate on what it was trained on


def prepare(arguments: Mapping[str, Any]) -> Setting:
    """Fix all seeds and load the data of a cell; the split is the same for all.

    Args:
        arguments: ``data``, ``sha256`` (which the data must have), ``images`` (of the training set; a fifth
            as many of the test set), ``seed`` and ``device``.

    Returns:
        The data on the device.
    """
    count = arguments["images"]
    train, test = _images(arguments, "train", count), _images(arguments, "test", count // 5)
    rows, held_out = train_validation_split(len(train.labels), SPLIT_SEED, VALIDATION_SHARE)
    deterministic(arguments["seed"])
    return Setting(train, rows.to(arguments["device"]), held_out.to(arguments["device"]), test)


def _images(arguments: Mapping[str, Any], split: str, count: int) -> Images:
    images, labels = first_images(arguments["data"], arguments["sha256"], split, count)
    device = torch.device(arguments["device"])
    return Images(images.to(device).float().div_(255), labels.to(device))


@cache
def first_images(
    name: str, sha256: str, split: Split, count: int
) -> tuple[UInt8[Tensor, "n l h w"], Int64[Tensor, " n"]]:
    """Load the first images of a data set, once a process."""
    data = load(name, split, expect=sha256)
    return data.images[:count].clone(), data.labels[:count].clone()
