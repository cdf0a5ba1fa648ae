"""Cells that try one error at a time."""

from collections.abc import Mapping
from typing import Any

from ntkd_lib.chapters.fabrication_recovery.made import TAPS, restore_design
from ntkd_lib.chapters.fabrication_recovery.reading import accuracy_through
from ntkd_lib.chapters.optical_students.classification_setting import prepare_digits, restore_student
from ntkd_lib.lab.cells import CellResult, Record
from ntkd_lib.optics.captured import CapturedStudent
from ntkd_lib.optics.device import Device
from ntkd_lib.optics.errors import Error
from ntkd_lib.optics.strength import SINGLE_ERRORS


def run(arguments: Mapping[str, Any], needs: Mapping[str, Record]) -> CellResult:
    """Test a student, without recovery, through devices that have one error each, at two magnitudes.

    Args:
        arguments: ``data``, ``sha256``, ``seed``, ``device``, ``images``.

    Returns:
        ``none``, and by error a pair of validation accuracies (percent).
    """
    setting = prepare_digits(arguments)
    design, models = (
        restore_design(needs["design"]),
        {"": CapturedStudent(restore_student(needs["student"]).back)},
    )
    rows = setting.held_out[: arguments["images"]]

    def measured(errors: tuple[Error, ...]) -> float:
        device = Device(errors, arguments["seed"])
        frames = device.frames(
            setting.train.images[rows], device.psfs(design.widths, design.geometry, TAPS), "held out"
        )
        return accuracy_through(models, frames, design.gains, setting.train.labels[rows])[""]

    pairs = {name: [measured((error,)) for error in both] for name, both in SINGLE_ERRORS.items()}
    return CellResult({"none": measured(()), "errors": pairs})
