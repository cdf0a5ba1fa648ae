"""Independent checks at the end of notebook 02: another way to the same numbers."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from ntkd_lib.chapters.ntkd_segmentation.summary import student_records
from ntkd_lib.chapters.ntkd_segmentation.teacher import restore
from ntkd_lib.chapters.run import Run
from ntkd_lib.data.masks import load_masks
from ntkd_lib.distill.dense import PooledLogits
from ntkd_lib.distill.mask_training import scenes
from ntkd_lib.ntk.empirical import empirical_ntk
from ntkd_lib.ntk.reference import reference_ntk
from ntkd_lib.optics.segmentation import MaskStudent, carvana_student


def _student(run: Run, method: str) -> MaskStudent:
    found = restore(carvana_student(), next(iter(student_records(run, method).values())))
    assert isinstance(found, MaskStudent)
    return found.eval()


@torch.no_grad()
def miou_from_captures(run: Run, method: str = "ntkd") -> tuple[float, float]:
    """Test the first seed's student through its two captures a channel, and count pixels by NumPy."""
    student, test = _student(run, method), load_masks(run.parameters.data, "test")
    counts = np.zeros((2, 2))  # class, (in both, in either)
    for images, masks in zip(test.images.split(16), test.masks.split(16), strict=True):
        guesses, truth = _from_captures(student, scenes(images, "cpu")), masks.numpy()
        for kind in (0, 1):
            mine, theirs = guesses == bool(kind), truth == bool(kind)
            counts[kind] += (mine & theirs).sum(), (mine | theirs).sum()
    recorded = next(iter(student_records(run, method).values())).values["miou"]
    return float(100 * (counts[:, 0] / counts[:, 1]).mean()), recorded


def _from_captures(student: MaskStudent, images: torch.Tensor) -> np.ndarray:
    plus, minus, gain = student.front.captures(images)
    assert plus.min() >= 0
    assert minus.min() >= 0
    grey = student.front.bank.sum((1, 2, 3)) / 2
    read_out = ((plus - minus) * gain[:, None, None]).sum(2) - grey[:, None, None]
    return (student.back(read_out)[:, 0] > 0).numpy()


def kernel_error(run: Run, method: str = "ntkd", images: int = 2) -> float:
    """Compare the student's structured kernel with one backward pass an output and image in float64."""
    model = nn.Sequential(_student(run, method), PooledLogits(2))
    sample = scenes(load_masks(run.parameters.data, "test").images[:images], "cpu")
    exact = reference_ntk(model, sample).diagonal(dim1=2, dim2=3).sum(-1)
    with torch.no_grad():
        fast = empirical_ntk(model, sample, kind="trace", method="structured").double()
    return ((fast - exact).norm() / exact.norm()).item()
