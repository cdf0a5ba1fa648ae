"""The cells of notebook 03; students and teachers are the very cells of notebook 01."""

from collections.abc import Mapping, Sequence
from typing import Any

from ntkd_lib.chapters.fabrication_recovery.methods import METHODS
from ntkd_lib.chapters.fabrication_recovery.parameters import RecoveryParameters
from ntkd_lib.chapters.optical_students.classification_methods import DIGITS, Method, digit_method
from ntkd_lib.data.registry import locate
from ntkd_lib.lab.cells import Cell
from ntkd_lib.lab.parameters import tier_parameters
from ntkd_lib.lab.work import Data

PACKAGE = "ntkd_lib.chapters.fabrication_recovery"
VACCINATED = Method("vaccinated", "vaccinated", objective="vaccinated", settings_of="none")
COLOURS = 3


def device_name(student: str, strength: float, captures: int, seed: int, number: int, tag: str = "") -> str:
    """Name the cell of a device, without its data set.

    >>> device_name("ntkd", 0.25, 5500, 0, 1)
    'device/ntkd/strength=0.25/captures=5500/seed=0/device=1'
    """
    return f"device/{student}/strength={strength:g}/captures={captures}{tag}/seed={seed}/device={number}"


class RecoveryMaker:
    """Make the cells of one data set: students from notebook 01, their designs, and devices made of them."""

    def __init__(self, parameters: RecoveryParameters, checksum: str) -> None:
        """Take the students' lengths of training from notebook 01's tier."""
        self.parameters = parameters
        self.data = {parameters.data: checksum}
        common = {"data": parameters.data, "device": parameters.device}
        students = tier_parameters("01_ntkd_classification", parameters.tier)
        self.students = students.model_copy(update=common)
        self.images = Data(parameters.data, checksum, locate(parameters.data).kind)
        self.kernel = {"kernel_batch": students.kernel_batch, "kernel_every": students.kernel_every}

    def student(self, name: str, seed: int, strength: float = 0.0) -> Cell:
        """Describe the cell of a student."""
        from ntkd_lib.chapters.optical_students.classification_cells import digit_student

        if name == VACCINATED.name:
            settings = {**DIGITS.settings("none"), "strength": strength}
            return digit_student(self.students, self.images, VACCINATED, seed, settings)
        return digit_student(self.students, self.images, digit_method(name), seed)

    def design(self, student: str, seed: int, strength: float = 0.0) -> Cell:
        """Make the cell that designs a student's metasurfaces for one colour, green."""
        arguments = {**self._common(seed), "steps": self.parameters.design_steps}
        needs = {"student": self.student(student, seed, strength)}
        return self._cell(f"design/{student}/seed={seed}", "design:fit", arguments, needs, cost=10)

    def device(
        self,
        student: str,
        seed: int,
        number: int,
        strength: float,
        recoveries: Mapping[str, Mapping[str, float]],
        *,
        captures: int | None = None,
        vaccine: float = 0.0,
        test: bool = True,
        tag: str = "",
    ) -> Cell:
        """Make the cell that makes one device, captures through it, and recovers in several ways."""
        count = captures or self.parameters.captures
        arguments = self._common(seed) | {
            "number": number,
            "strength": strength,
            "captures": count,
            "steps": self.parameters.steps,
            "test": test,
            "recoveries": [self._recovery(name, settings) for name, settings in recoveries.items()],
        }
        needs = {
            "student": self.student(student, seed, vaccine),
            "design": self.design(student, seed, vaccine),
        }
        if recoveries:
            needs |= self._teacher(seed)
        name = device_name(student, strength, count, seed, number, tag)
        uses = tuple(sorted({f"ntkd_lib.distill.{METHODS[name].objective}" for name in recoveries}))
        cost = 4 + 3 * len(recoveries)
        return self._cell(name, "recover:run", arguments, needs, uses=uses, cost=cost)

    def sensitivity(self, seed: int) -> Cell:
        """Make the cell that tries each error by itself on the NTKD student, without recovery."""
        arguments = {**self._common(seed), "images": self.parameters.shown_captures}
        needs = {"student": self.student("ntkd", seed), "design": self.design("ntkd", seed)}
        return self._cell(f"sensitivity/seed={seed}", "sensitivity:run", arguments, needs, cost=10)

    def colour(self, seeds: Sequence[int]) -> Cell:
        """Make the cell that designs colour filters for three wavelengths at once."""
        count = self.parameters.colour_filters
        arguments = {"filters": count, "steps": self.parameters.design_steps, "colours": COLOURS}
        needs = {f"student{seed}": self.student("ntkd", seed) for seed in seeds}
        return self._cell("colour", "design:colour", arguments, needs, cost=2.5 * count)

    def theory(self, seed: int) -> Cell:
        """Make the cell that measures how the tangent kernel of wider and wider networks changes."""
        arguments = {"seed": seed, "widest": self.parameters.widest, **self._source()}
        return self._cell(f"theory/seed={seed}", "theory:run", arguments, {}, cost=15)

    def _teacher(self, seed: int) -> dict[str, Cell]:
        from ntkd_lib.chapters.optical_students.classification_cells import digit_kernel, digit_soft_labels

        cells = {"tangent": digit_kernel, "soft_labels": digit_soft_labels}
        return {name: cell(self.students, self.images, seed) for name, cell in cells.items()}

    def _recovery(self, name: str, settings: Mapping[str, float]) -> dict[str, Any]:
        method = METHODS[name]
        kernel = self.kernel if method.uses_kernel else {}
        return {"name": name, "objective": method.objective, "settings": {**settings, **kernel}}

    def _source(self) -> dict[str, str]:
        return {"data": self.parameters.data, "sha256": self.data[self.parameters.data]}

    def _common(self, seed: int) -> dict[str, Any]:
        return {**self._source(), "seed": seed, "device": self.parameters.device}

    def _cell(
        self, name: str, work: str, arguments: dict[str, Any], needs: Mapping[str, Cell], **rest: Any
    ) -> Cell:
        work = f"{PACKAGE}.{work}"
        return Cell(f"{self.parameters.data}/{name}", work, arguments, needs=needs, data=self.data, **rest)
