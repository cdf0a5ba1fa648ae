"""Cells that compress the teacher's tangent kernel of summarised logits, and measure the error."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from ntkd_lib.chapters.ntkd_segmentation.setting import prepare
from ntkd_lib.chapters.ntkd_segmentation.teacher import restore_teacher
from ntkd_lib.distill.dense import summary_of
from ntkd_lib.distill.mask_training import scenes
from ntkd_lib.lab.cells import CellResult, Record
from ntkd_lib.ntk.empirical import empirical_ntk
from ntkd_lib.ntk.landmarks import LandmarkKernel, landmark_gram

CHECKED, CHUNK = 16, 8


def compress(arguments: Mapping[str, Any], needs: Mapping[str, Record]) -> CellResult:
    """Give landmark features and the exact diagonal of the teacher's trace kernel for training images.

    Args:
        arguments: ``data``, ``sha256``, ``seed``, ``device``, ``summary``, ``outputs``, ``landmarks``,
            ``images``: how many, landmarks not counted.

    Returns:
        ``cosine`` and ``relative_error`` (Frobenius) of the rebuilt against the exact kernel of images that
        are no landmarks, and what was asked for; arrays ``rows`` (positions of the images), ``features``
        and ``diagonal``.
    """
    setting = prepare(arguments)
    device, count = arguments["device"], arguments["landmarks"]
    pixels = setting.train.masks[0].numel()
    summary = summary_of(arguments["summary"], arguments["outputs"], pixels, arguments["seed"])
    model = nn.Sequential(restore_teacher(needs["teacher"], device), summary.to(device)).eval()
    order = torch.randperm(len(setting.train.images))
    kernel = LandmarkKernel(model, scenes(setting.train.images[order[:count]], device))
    rows = order[count : count + arguments["images"]]
    images = scenes(setting.train.images[rows], device)
    features, diagonal = kernel.features(images, chunk=CHUNK)
    values = _errors(model, images[:CHECKED], features[:CHECKED], diagonal[:CHECKED])
    arrays = {"rows": rows, "features": features.cpu(), "diagonal": diagonal.cpu()}
    asked = {name: arguments[name] for name in ("summary", "outputs", "seed", "landmarks")}
    return CellResult(
        {**values, **asked, "mean_diagonal": diagonal.mean().item()},
        {name: np.asarray(array) for name, array in arrays.items()},
    )


@torch.no_grad()
def _errors(model: nn.Module, images: Tensor, features: Tensor, diagonal: Tensor) -> dict[str, float]:
    exact = empirical_ntk(model, images, kind="trace", method="structured", tile=CHUNK)
    rebuilt = landmark_gram(features, diagonal)
    return {
        "cosine": cosine_similarity(exact.flatten(), rebuilt.flatten(), dim=0).item(),
        "relative_error": ((rebuilt - exact).norm() / exact.norm()).item(),
    }
