"""The cells of notebook 01 and how each is made, for the plan of a run and for the search."""

from collections.abc import Mapping
from typing import Any

from ntkd_lib.chapters.ntkd_classification.methods import METHODS, Method
from ntkd_lib.chapters.ntkd_classification.parameters import ClassificationParameters
from ntkd_lib.lab.cells import Cell

PACKAGE = "ntkd_lib.chapters.ntkd_classification"


class CellMaker:
    """Make the cells of one data set, sharing teachers between the students that hear them."""

    def __init__(self, parameters: ClassificationParameters, checksum: str) -> None:
        """Start with no teacher."""
        self.parameters = parameters
        self.data = {parameters.data: checksum}
        self.images = 60_000 if parameters.data == "mnist" else 4_000

    def teacher(self, seed: int, *, trained: bool = True) -> Cell:
        """Make the cell that trains a teacher, or leaves it at its start."""
        epochs = self.parameters.teacher_epochs if trained else 0
        arguments = {**self._common(seed), "epochs": epochs, "batch": self.parameters.batch}
        name = f"teacher/{'trained' if trained else 'untrained'}/seed={seed}"
        return self._cell(name, "teacher:train", arguments, cost=1 + 5e-5 * epochs * self.images)

    def tangent(self, seed: int, *, trained: bool = True) -> Cell:
        """Make the cell that compresses a teacher's tangent kernel."""
        images = min(self.parameters.kernel_images, self.images)
        arguments = {**self._common(seed), "landmarks": self.parameters.landmarks, "images": images}
        name = f"tangent/{'trained' if trained else 'untrained'}/seed={seed}"
        needs = {"teacher": self.teacher(seed, trained=trained)}
        return self._cell(name, "tangent:compress", arguments, needs=needs, cost=1 + 5e-4 * images)

    def student(
        self,
        method: Method,
        seed: int,
        settings: Mapping[str, float],
        tag: str = "",
        *,
        tested: bool = True,
    ) -> Cell:
        """Make the cell that trains one student."""
        epochs = self._epochs(method)
        arguments = self._common(seed) | {
            "epochs": epochs,
            "batch": self.parameters.batch,
            "objective": method.objective,
            "optics": method.optics,
            "rectified": method.rectified,
            "hidden": list(method.hidden),
            "settings": self._settings(method, settings),
            "tested": tested,
        }
        return self._cell(
            f"{method.name}{tag}/seed={seed}",
            "student:train",
            arguments,
            uses=(f"ntkd_lib.distill.{method.objective}",),
            needs=self._needs(method, seed),
            cost=1 + _speed(method) * epochs * self.images,
        )

    def _epochs(self, method: Method) -> int:
        asked = self.parameters
        lengths = {"usual": asked.epochs, "long": asked.long_epochs, "single": asked.single_epochs}
        return lengths[method.length]

    def _settings(self, method: Method, settings: Mapping[str, float]) -> dict[str, Any]:
        if not method.hears_kernel:
            return dict(settings)
        frequency = {
            "kernel_batch": self.parameters.kernel_batch,
            "kernel_every": self.parameters.kernel_every,
        }
        return {**settings, **frequency}

    def _needs(self, method: Method, seed: int) -> dict[str, Cell]:
        if method.teacher is None:
            return {}
        trained = method.teacher == "trained"
        if method.hears_kernel:
            return {"tangent": self.tangent(seed, trained=trained)}
        return {"teacher": self.teacher(seed, trained=trained)}

    def _common(self, seed: int) -> dict[str, Any]:
        sha256 = self.data[self.parameters.data]
        return {
            "data": self.parameters.data,
            "sha256": sha256,
            "seed": seed,
            "device": self.parameters.device,
        }

    def _cell(self, name: str, work: str, arguments: dict[str, Any], **rest: Any) -> Cell:
        name = f"{self.parameters.data}/{name}"
        return Cell(name=name, work=f"{PACKAGE}.{work}", arguments=arguments, data=self.data, **rest)


def _speed(method: Method) -> float:
    """Seconds an image and epoch, roughly, on one thread."""
    if method.hears_kernel:
        return 9e-5
    return 5e-5 if method.optics == "signed" else 1e-5


def untrained_twin(form: str) -> Method:
    """Give the control that hears an untrained teacher through the same kernel loss."""
    method = METHODS[form]
    return Method(
        "ntkd_untrained_teacher",
        "NTKD, untrained teacher (control)",
        objective=method.objective,
        teacher="untrained",
        settings_of=form,
    )
