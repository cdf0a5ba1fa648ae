"""Students of notebook 01 as their cells left them."""

import torch

from ntkd_lib.lab.cells import Record
from ntkd_lib.optics.student import HybridStudent, mnist_student


def restore_student(record: Record) -> HybridStudent:
    """Rebuild a signed-filter student with its default back end from its record."""
    prefix = "weights."
    weights = {
        k.removeprefix(prefix): torch.tensor(v) for k, v in record.arrays.items() if k.startswith(prefix)
    }
    student = mnist_student()
    student.load_state_dict(weights)
    return student
