"""Cells of the students of digits and of their teachers, which notebooks 01 and 03 share."""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from ntkd_lib.chapters.optical_students.classification import student
from ntkd_lib.chapters.optical_students.classification_methods import DIGITS, Method
from ntkd_lib.chapters.optical_students.classification_setting import Hybrid, digit_partition
from ntkd_lib.chapters.optical_students.classification_teachers import landmark_kernel, soft_labels, teacher
from ntkd_lib.distill.training import Schedule
from ntkd_lib.lab import Cell, Data, Label

SPEED = ("lr", "weight_decay", "shift")  # settings that belong to the schedule


@runtime_checkable
class DigitTraining(Protocol):
    """Parameters of notebook 01 for the training of students of digits."""

    epochs: int
    long_epochs: int
    single_epochs: int
    teacher_epochs: int
    batch: int
    kernel_batch: int
    kernel_every: int
    kernel_images: int
    landmarks: int
    device: str


def digit_common(p: DigitTraining, data: Data, seed: int) -> dict[str, Any]:
    """Collect the common arguments of cells on digits; the split depends on the seed."""
    return {"data": data, "seed": seed, "split": digit_partition(seed), "device": p.device}


def digit_teacher(p: DigitTraining, data: Data, seed: int, *, trained: bool = True) -> Cell:
    """Describe the training of a LeNet on shifted images, or a LeNet at its initial weights."""
    epochs = p.teacher_epochs if trained else 0
    schedule = Schedule(epochs, p.batch, lr=4e-3, weight_decay=1e-3, shift=2)
    common = digit_common(p, data, seed)
    return teacher.cell({"trained": trained}, **common, network="lenet", schedule=schedule)


def digit_soft_labels(p: DigitTraining, data: Data, seed: int) -> Cell:
    """Describe the logits of a teacher."""
    own = digit_teacher(p, data, seed)
    return soft_labels.cell(**digit_common(p, data, seed), network="lenet", teacher=own)


def digit_kernel(p: DigitTraining, data: Data, seed: int, *, trained: bool = True) -> Cell:
    """Describe the compression of a teacher's tangent kernel."""
    return landmark_kernel.cell(
        {"trained": trained},
        **digit_common(p, data, seed),
        network="lenet",
        landmark_count=p.landmarks,
        kernel_images=p.kernel_images,
        teacher=digit_teacher(p, data, seed, trained=trained),
    )


def digit_student(
    p: DigitTraining,
    data: Data,
    method: Method,
    seed: int,
    settings: Mapping[str, float] | None = None,
    labels: Mapping[str, Label] | None = None,
    *,
    parts: Mapping[str, Any] | None = None,
    **changes: Any,
) -> Cell:
    """Describe the training of a student of digits, by default at the settings that its search chose."""
    settings = DIGITS.settings(method.source) if settings is None else settings
    rest = {name: value for name, value in settings.items() if name not in SPEED}
    if method.uses_kernel:
        rest |= {"kernel_batch": p.kernel_batch, "kernel_every": p.kernel_every}
    own = {"optics": method.optics, "rectified": method.rectified, "hidden": method.hidden}
    return student.cell(
        {"method": method.name, "question": "main", **(labels or {})},
        **digit_common(p, data, seed),
        parts=Hybrid(**{**own, **(parts or {})}),
        objective=method.objective,
        schedule=_schedule(p, method, settings),
        settings=rest,
        **_needs(p, data, method, seed),
        **changes,
    )


def _schedule(p: DigitTraining, method: Method, settings: Mapping[str, float]) -> Schedule:
    epochs = {"usual": p.epochs, "long": p.long_epochs, "single": p.single_epochs}[method.length]
    speed = {"lr": settings["lr"], "weight_decay": settings["weight_decay"]}
    return Schedule(epochs, p.batch, **speed, shift=int(settings.get("shift", 0)))


def _needs(p: DigitTraining, data: Data, method: Method, seed: int) -> dict[str, Cell]:
    if method.teacher is None:
        return {}
    if method.uses_kernel:
        return {"tangent": digit_kernel(p, data, seed, trained=method.teacher == "trained")}
    return {"soft_labels": digit_soft_labels(p, data, seed)}
