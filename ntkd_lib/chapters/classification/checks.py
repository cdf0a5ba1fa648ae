"""Independent checks at the end of notebook 01: another way to the same numbers."""

import numpy as np
import torch

from ntkd_lib.chapters.classification.studies.features_page import first_record
from ntkd_lib.chapters.optical_students.classification_methods import digit_method
from ntkd_lib.chapters.optical_students.classification_setting import restore_student
from ntkd_lib.chapters.run import Run
from ntkd_lib.data.load import load
from ntkd_lib.lab.cells import Record
from ntkd_lib.ntk.reference import reference_ntk
from ntkd_lib.optics import HybridStudent, student_trace_ntk


def accuracy_from_captures(run: Run, method: str = "ntkd") -> tuple[float, float]:
    """Test the first seed's student through its two captures per filter, processed by NumPy, and compare."""
    record = first_student(run, method)
    student, test = restore_student(record), load(run.parameters.data, "test")
    with torch.no_grad():
        right = [
            (student.back(_read_out(student, part)).argmax(1) == labels).numpy()
            for part, labels in zip(test.images.split(500), test.labels.split(500), strict=True)
        ]
    return 100 * float(np.concatenate(right).mean()), record.values["accuracy"]


def first_student(run: Run, method: str) -> Record:
    """Look up the record of a student of digits, first seed."""
    return first_record(run, run.parameters.data, digit_method(method).name)


def _read_out(student: HybridStudent, images: torch.Tensor) -> torch.Tensor:
    plus, minus, gain = student.front.captures(images.float() / 255)
    assert plus.min() >= 0
    assert minus.min() >= 0
    difference = (plus - minus).numpy() * gain.numpy()[:, None, None]
    signed = np.maximum(difference.sum(axis=2), 0)
    n, k, h, w = signed.shape
    return torch.tensor(signed.reshape(n, k, h // 2, 2, w // 2, 2).mean(axis=(3, 5)).reshape(n, -1))


def kernel_error(run: Run, method: str = "ntkd", images: int = 3) -> float:
    """Compare the student's closed-form kernel with one backward pass per class and image in float64."""
    student = restore_student(first_student(run, method))
    sample = load(run.parameters.data, "test").images[:images].float() / 255
    exact = reference_ntk(student, sample).diagonal(dim1=2, dim2=3).sum(-1)
    with torch.no_grad():
        fast = student_trace_ntk(student, sample).double()
    return ((fast - exact).norm() / exact.norm()).item()
