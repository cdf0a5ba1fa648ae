"""Cells that compress the teacher's tangent kernel of the images that devices photograph."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from ntkd_lib.chapters.fabrication_segmentation.photographed import load_part, photographed_rows
from ntkd_lib.chapters.fabrication_segmentation.protocol import Protocol
from ntkd_lib.chapters.optical_students.masks import restore_teacher
from ntkd_lib.distill.dense import summary_of
from ntkd_lib.distill.mask_training import scenes
from ntkd_lib.lab.cells import CellResult, Record
from ntkd_lib.lab.seeds import deterministic
from ntkd_lib.ntk.landmarks import LandmarkKernel

CHUNK = 8


def compress(arguments: Mapping[str, Any], needs: Mapping[str, Record]) -> CellResult:
    """Give landmark features and the exact diagonal of the teacher's kernel, from the images themselves.

    Args:
        arguments: ``data``, ``sha256``, ``seed``, ``device``, ``protocol``, ``summary``, ``outputs``,
            ``landmarks``, ``images``: how many, landmarks not counted, as far as there are so many.

    Returns:
        What was asked for; arrays ``places`` (among the photographed images), ``features``, ``diagonal``.
    """
    deterministic(arguments["seed"])
    device, count = arguments["device"], arguments["landmarks"]
    train = load_part(arguments, "train")
    rows = photographed_rows(train.cars, Protocol(**arguments["protocol"]).share)
    summary = summary_of(
        arguments["summary"], arguments["outputs"], train.masks[0].numel(), arguments["seed"]
    )
    model = nn.Sequential(restore_teacher(needs["teacher"], device), summary.to(device)).eval()
    order = torch.randperm(len(rows))
    places = order[count : count + arguments["images"]]
    landmarks, images = (scenes(train.images[rows[part]], device) for part in (order[:count], places))
    features, diagonal = LandmarkKernel(model, landmarks).features(images, chunk=CHUNK)
    arrays = {"places": places, "features": features.cpu(), "diagonal": diagonal.cpu()}
    asked = {name: arguments[name] for name in ("summary", "outputs", "seed", "landmarks")}
    return CellResult(asked, {name: np.asarray(array) for name, array in arrays.items()})
