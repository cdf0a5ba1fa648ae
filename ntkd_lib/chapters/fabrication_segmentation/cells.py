"""The cells of devices for photographs of cars; students and teacher are the very cells of notebook 02."""

from collections.abc import Mapping
from typing import Any

from ntkd_lib.chapters.fabrication_recovery.settings import severity
from ntkd_lib.chapters.fabrication_segmentation.methods import WAYS, Way
from ntkd_lib.chapters.fabrication_segmentation.protocol import Protocol
from ntkd_lib.chapters.optical_students.mask_methods import (
    METHODS,
    TEACHER_SEED,
    MaskMethod,
    chosen_form,
    logits_cell,
    loss_settings,
    student_cell,
    teacher_cell,
    training_settings,
)
from ntkd_lib.chapters.optical_students.mask_parameters import MaskStudentParameters
from ntkd_lib.lab.cells import Cell
from ntkd_lib.lab.work import Data

PACKAGE = "ntkd_lib.chapters.fabrication_segmentation"
PLACE = ("cells", "distance", "pixel")


def way_of(name: str) -> Way:
    """Give the way to recover that a name stands for."""
    return WAYS[name.partition("/")[0]]


def method_of(way: str) -> MaskMethod:
    """Give the student of notebook 02 whose loss and settings a way to recover takes."""
    name = way_of(way).settings_of
    return METHODS[chosen_form() if name == "ntkd" else name]


class DeviceMaker:
    """Make the cells of one data set: students from notebook 02, their designs, and devices made of them."""

    def __init__(
        self,
        parameters: MaskStudentParameters,
        data: Data,
        protocol: Protocol | None = None,
    ) -> None:
        """Take students and teacher from notebook 02."""
        self.protocol = protocol or Protocol()
        self.asked, self.data = parameters, data

    def student(self, seed: int) -> Cell:
        """Give the cell of the NTKD student, notebook 02's own."""
        method = METHODS[chosen_form()]
        return student_cell(self.asked, self.data, method, seed, training_settings(method.name))

    def design(self, seed: int) -> Cell:
        """Make the cell that designs a student's metasurfaces for three colours."""
        arguments = self._common(seed, "design_steps", *PLACE)
        return self._cell(
            f"design/seed={seed}", "design:fit", arguments, {"student": self.student(seed)}, 110
        )

    def kernel(self) -> Cell:
        """Make the cell that compresses the teacher's tangent kernel of the photographed images."""
        asked = self.asked
        arguments = self._common(TEACHER_SEED, "share") | {
            "summary": METHODS[chosen_form()].summary,
            "outputs": asked.kernel_outputs,
            "landmarks": asked.landmarks,
            "images": asked.kernel_images,
        }
        needs = {"teacher": teacher_cell(self.asked, self.data)}
        return self._cell("kernel", "kernel:compress", arguments, needs, asked.kernel_images / 3)

    def device(self, seed: int, number: int, ways: Mapping[str, float], *, tested: bool = True) -> Cell:
        """Make the cell that makes one device, captures through it, and recovers in several ways."""
        arguments = self._common(seed, "steps", "share", "followed", *PLACE) | {
            "number": number,
            "strength": severity(),
            "batch": self.asked.batch,
            "tested": tested,
            "recoveries": [self._recovery(name, rate) for name, rate in ways.items()],
        }
        needs = {
            "student": self.student(seed),
            "design": self.design(seed),
            "kernel": self.kernel(),
            "voice": logits_cell(self.asked, self.data),
        }
        uses = tuple(sorted({f"ntkd_lib.distill.{way_of(name).objective}" for name in ways}))
        name = f"device/seed={seed}/device={number}"
        return self._cell(name, "recover:run", arguments, needs, 25 + 15 * len(ways), uses)

    def _recovery(self, name: str, rate: float) -> dict[str, Any]:
        method = method_of(name)
        own = {**training_settings(method.settings_of), "lr": rate}
        settings = {**own, **loss_settings(self.asked, method)}
        return {"name": name, "objective": way_of(name).objective, "settings": settings}

    def _common(self, seed: int, *budgets: str) -> dict[str, Any]:
        source = {"data": self.asked.data, "sha256": self.data.sha256}
        asked = {name: getattr(self.protocol, name) for name in budgets}
        return {**source, "seed": seed, "device": self.asked.device, "protocol": asked}

    def _cell(
        self,
        name: str,
        work: str,
        arguments: dict[str, Any],
        needs: Mapping[str, Cell],
        cost: float,
        uses: tuple[str, ...] = (),
    ) -> Cell:
        name, work = f"{self.asked.data}/fabricated/{name}", f"{PACKAGE}.{work}"
        data = {self.data.name: self.data.sha256}
        return Cell(name, work, arguments, needs=needs, data=data, cost=cost, uses=uses)
