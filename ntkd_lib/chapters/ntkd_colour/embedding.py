"""Cells that lay out students' features of test images in the plane, by t-SNE."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from sklearn.manifold import TSNE

from ntkd_lib.chapters.ntkd_colour.setting import prepare
from ntkd_lib.chapters.ntkd_colour.student import restore_student
from ntkd_lib.lab.cells import CellResult, Record

IMAGES = 400
PERPLEXITY = 30


def draw(arguments: Mapping[str, Any], needs: Mapping[str, Record]) -> CellResult:
    """Lay out the values that enter the last dense layer.

    Args:
        arguments: ``data``, ``sha256``, ``images``, ``seed``, ``device``.
        needs: Students by name.

    Returns:
        How many images; arrays: one ``(n, 2)`` a student, and ``labels``.
    """
    test = prepare(arguments | {"device": "cpu"}).test
    images = test.images[:IMAGES]
    arrays = {"labels": test.labels[:IMAGES].numpy()}
    for name, record in needs.items():
        student = restore_student(record)
        with torch.no_grad():
            features = student.back[:-1](student.front(images)).numpy()
        arrays[name] = _plane(features)
    return CellResult({"images": len(images)}, arrays)


def _plane(features: np.ndarray) -> np.ndarray:
    perplexity = min(PERPLEXITY, (len(features) - 1) / 3)
    return TSNE(perplexity=perplexity, init="pca", random_state=0, n_jobs=1).fit_transform(features)
