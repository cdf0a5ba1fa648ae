"""Cells that compress a teacher's tangent kernel into landmark features, and measure the error."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from ntkd_lib.chapters.ntkd_classification.setting import prepare
from ntkd_lib.lab.cells import CellResult, Record
from ntkd_lib.nets.lenet5 import lenet
from ntkd_lib.ntk.empirical import empirical_ntk
from ntkd_lib.ntk.landmarks import LandmarkKernel, landmark_gram

CHECKED = 256


def compress(arguments: Mapping[str, Any], needs: Mapping[str, Record]) -> CellResult:
    """Give landmark features and the exact diagonal of the teacher's trace kernel for training images.

    Args:
        arguments: ``data``, ``seed``, ``device``, ``landmarks``, ``images``: how many, landmarks not counted.

    Returns:
        ``cosine`` and ``relative_error`` (Frobenius) of the rebuilt against the exact kernel of images that
        are no landmarks; arrays ``rows`` (positions of the images), ``features`` in float16 and
        ``diagonal``, in the kernel's own units.
    """
    setting = prepare(arguments)
    model = restore_teacher(needs["teacher"], arguments["device"])
    order = setting.rows[torch.randperm(len(setting.rows)).to(setting.rows.device)]
    count = min(arguments["landmarks"], len(order) // 2)
    kernel = LandmarkKernel(model, setting.train.images[order[:count]])
    rows = order[count : count + arguments["images"]]
    images = setting.train.images[rows]
    features, diagonal = kernel.features(images, chunk=100)
    values = _errors(model, images[:CHECKED], features[:CHECKED], diagonal[:CHECKED])
    arrays = {
        "rows": rows.cpu().numpy(),
        "features": features.cpu().numpy().astype(np.float16),
        "diagonal": diagonal.cpu().numpy(),
    }
    return CellResult({**values, "mean_diagonal": diagonal.mean().item(), "landmarks": count}, arrays)


def restore_teacher(record: Record, device: str) -> nn.Module:
    """Rebuild a teacher from its record."""
    prefix = "weights."
    state = {
        k.removeprefix(prefix): torch.tensor(v) for k, v in record.arrays.items() if k.startswith(prefix)
    }
    model = lenet()
    model.load_state_dict(state)
    return model.to(device).eval()


@torch.no_grad()
def _errors(model: nn.Module, images: Tensor, features: Tensor, diagonal: Tensor) -> dict[str, float]:
    exact = empirical_ntk(model, images, kind="trace", tile=64)
    rebuilt = landmark_gram(features, diagonal)
    return {
        "cosine": cosine_similarity(exact.flatten(), rebuilt.flatten(), dim=0).item(),
        "relative_error": ((rebuilt - exact).norm() / exact.norm()).item(),
    }
