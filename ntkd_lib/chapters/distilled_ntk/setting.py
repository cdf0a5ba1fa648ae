"""What every cell of notebook 06 starts from: seeds, images on the device, and the split."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ntkd_lib.data.load import load
from ntkd_lib.lab.seeds import derive_seed, deterministic

VALIDATION = 500


@dataclass(frozen=True)
class Setting:
    """Data of one cell; intensities in [0, 1].

    Attributes:
        images: Images that the network is trained on and the exact kernel is of, ``(n, channels, h, w)``.
        labels: Their classes.
        held_images: Validation images.
        held_labels: Their classes.
        test_images: Test images, read once.
        test_labels: Their classes.
    """

    images: Float[Tensor, "n _ _ _"]
    labels: Int[Tensor, " n"]
    held_images: Float[Tensor, "v _ _ _"]
    held_labels: Int[Tensor, " v"]
    test_images: Float[Tensor, "t _ _ _"]
    test_labels: Int[Tensor, " t"]


def prepare(arguments: Mapping[str, Any]) -> Setting:
    """Fix all seeds and load the data of a cell; the seed alone draws the images.

    Args:
        arguments: ``data``, ``sha256`` (which the data must have), ``seed``, ``device``, ``images`` and
            ``tests``; with ``validation`` the validation images stand in for the test images, which are
            then not read.

    Returns:
        The data on the device.
    """
    train, test = (load(arguments["data"], part, expect=arguments["sha256"]) for part in ("train", "test"))
    generator = torch.Generator().manual_seed(derive_seed("dntk", arguments["data"], arguments["seed"]))
    order = torch.randperm(len(train), generator=generator)
    held = min(VALIDATION, len(order) // 10)
    wanted = min(arguments["images"], len(order) - held)
    chosen = torch.randperm(len(test), generator=generator)[: arguments["tests"]]
    deterministic(arguments["seed"])
    device = torch.device(arguments["device"])
    parts = ((train, order[:wanted]), (train, order[wanted : wanted + held]), (test, chosen))
    tensors = [
        tensor
        for data, rows in parts
        for tensor in (data.images[rows].to(device).float() / 255, data.labels[rows].to(device))
    ]
    return Setting(*tensors[:4], *(tensors[2:4] if arguments.get("validation") else tensors[4:]))
