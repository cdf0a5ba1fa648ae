"""What every cell of notebook 01 starts from: seeds, images on the device, and the split."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jaxtyping import Int
from torch import Tensor

from ntkd_lib.data.load import Split, load, train_validation_split
from ntkd_lib.distill.training import Images
from ntkd_lib.lab.seeds import deterministic

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
        The data on the device, which nobody may change: a process loads them once.
    """
    name, sha256, device = (arguments[key] for key in ("data", "sha256", "device"))
    train, test = _images(name, sha256, "train", device), _images(name, sha256, "test", device)
    rows, held_out = train_validation_split(len(train.labels), arguments["seed"], VALIDATION_SHARE)
    deterministic(arguments["seed"])
    return Setting(train, rows.to(device), held_out.to(device), test)


@lru_cache(maxsize=2)
def _images(name: str, sha256: str, split: Split, device: str) -> Images:
    data = load(name, split, expect=sha256)
    return Images(data.images.to(device).float().div_(255), data.labels.to(device))
