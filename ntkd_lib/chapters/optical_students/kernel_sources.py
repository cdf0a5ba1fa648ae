"""What a student with few labels may be trained on in place of its teacher's tangent kernel."""

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from ntkd_lib.chapters.optical_students.classification_setting import Partition, kernel_arrays, prepare
from ntkd_lib.chapters.optical_students.classification_teachers import restore_teacher
from ntkd_lib.distill.training import WITHHELD, predict, withhold
from ntkd_lib.lab.cells import CellResult, Record
from ntkd_lib.lab.work import Data, work

CLASSES = 10
SHARPNESS = 10.0  # logit of a regression's output of one


@work()
def label_kernel(data: Data, seed: int, split: Partition, *, tangent: Record) -> CellResult:
    """Build the kernel ``Y Y'`` of the true labels, withheld ones too, on a teacher's kernel images."""
    rows = torch.tensor(tangent.arrays["rows"])
    labels = prepare(data, split, seed).train.labels[rows]
    return _kernel(rows, one_hot(labels, CLASSES).float(), 0.0)


@work()
def permuted_kernel(data: Data, seed: int, split: Partition, *, tangent: Record) -> CellResult:
    """Exchange classes in a teacher's kernel: an image gets the features of one of the next class.

    Images of one class stay alike; which classes are alike, and which images of a class, is wrong.
    """
    rows = torch.tensor(tangent.arrays["rows"])
    places = next_class(prepare(data, split, seed).train.labels[rows]).numpy()
    moved = {name: tangent.arrays[name][places] for name in ("features", "diagonal")}
    return CellResult({}, {"rows": tangent.arrays["rows"], **moved})


def next_class(labels: Tensor) -> Tensor:
    """Draw for each image the place of an image of the next class, each about equally often."""
    places = torch.empty_like(labels)
    for label in range(CLASSES):
        own, others = ((labels == each).nonzero()[:, 0] for each in (label, (label + 1) % CLASSES))
        order = others[torch.randperm(len(others))]
        places[own] = order.repeat(-(-len(own) // len(order)))[: len(own)]
    return places


@work(cost=lambda **_: 5)
@torch.no_grad()
def conjugate_kernel(
    data: Data, seed: int, split: Partition, *, teacher: Record, tangent: Record
) -> CellResult:
    """Compute the features of a teacher's conjugate kernel ``h h' + 1`` on its kernel images."""
    rows = torch.tensor(tangent.arrays["rows"])
    images = prepare(data, split, seed).train.images[rows]
    return _kernel(rows, predict(restore_teacher(teacher)[:-1], images), 1.0)


def _kernel(rows: Tensor, features: Tensor, bias: float) -> CellResult:
    """Keep features and, if there is a bias, one more that adds it to the kernel."""
    full = torch.cat([features, features.new_full((len(features), 1), bias**0.5)], dim=1)
    return CellResult({}, kernel_arrays(rows, full, full.square().sum(1)))


@work(cost=lambda **_: 3)
def kernel_regression(
    data: Data, seed: int, split: Partition, *, label_share: float, ridge: float, tangent: Record
) -> CellResult:
    """Regress the known labels on a teacher's kernel features, and predict the others.

    ``logits = 10 Phi (Phi_l' Phi_l + ridge n k I)^-1 Phi_l' (Y - 1/10)`` with n known labels and k the mean
    diagonal; zero for the few images that the kernel does not hold.
    """
    setting = prepare(data, split, seed)
    few, _ = withhold(setting.train, setting.rows, label_share, seed)
    rows = torch.tensor(tangent.arrays["rows"])
    features = torch.tensor(tangent.arrays["features"]).double()
    labels = few.labels[rows]
    fitted = features[labels != WITHHELD]
    targets = one_hot(labels[labels != WITHHELD], CLASSES).double() - 1 / CLASSES
    size = ridge * len(fitted) * float(np.mean(tangent.arrays["diagonal"]))
    gram = fitted.T @ fitted + size * torch.eye(features.shape[1]).double()
    logits = torch.zeros(len(few.labels), CLASSES)
    logits[rows] = (SHARPNESS * features @ torch.linalg.solve(gram, fitted.T @ targets)).float()
    hits = logits[rows].argmax(1) == setting.train.labels[rows]
    return CellResult({"accuracy": 100 * hits.double().mean().item()}, {"logits": logits.numpy()})
