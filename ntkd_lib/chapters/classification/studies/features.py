"""Features of students of colour images, the inputs of the last dense layer, embedded in the plane."""

from collections.abc import Mapping

import numpy as np
import torch
from sklearn.manifold import TSNE

from ntkd_lib.chapters.classification.methods import TRANSFERS, colour_common, colour_parts
from ntkd_lib.chapters.classification.parameters import ClassificationParameters
from ntkd_lib.chapters.optical_students import classification_setting
from ntkd_lib.lab.cells import Cell, CellResult, Record
from ntkd_lib.lab.work import Data, work

IMAGES = 400
PERPLEXITY = 30


def cell(p: ClassificationParameters, data: Data, seed: int, students: Mapping[str, Cell]) -> Cell:
    """Lay out the features of the students that are compared."""
    compared = {name: students[name] for name in TRANSFERS}
    common = {**colour_common(p, data, seed), "device": "cpu"}
    return embedding.cell(**common, parts=colour_parts(), students=compared)


@work(cost=lambda **_: 20.0)
def embedding(
    data: Data,
    seed: int,
    split: classification_setting.Partition,
    *,
    parts: classification_setting.Hybrid,
    students: Mapping[str, Record],
    device: str = "cpu",
) -> CellResult:
    """Lay out features of test images by t-SNE: an array `(n, 2)` per student, and `labels`."""
    test = classification_setting.prepare(data, split, seed, device).test
    images = test.images[:IMAGES]
    arrays = {"labels": test.labels[:IMAGES].numpy()}
    for name, record in students.items():
        student = classification_setting.restore_student(record, parts)
        with torch.no_grad():
            features = student.back[:-1](student.front(images)).numpy()
        arrays[name] = _plane(features)
    return CellResult({"images": len(images)}, arrays)


def _plane(features: np.ndarray) -> np.ndarray:
    perplexity = min(PERPLEXITY, (len(features) - 1) / 3)
    return TSNE(perplexity=perplexity, init="pca", random_state=0, n_jobs=1).fit_transform(features)
