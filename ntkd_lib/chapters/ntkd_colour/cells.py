"""The cells on colour images: teachers, their kernels, students, and where features lie."""

from collections.abc import Mapping
from typing import Any

from ntkd_lib.chapters.ntkd_classification.methods import Method
from ntkd_lib.chapters.ntkd_classification.parameters import ClassificationParameters
from ntkd_lib.lab.cells import Cell

PACKAGE = "ntkd_lib.chapters.ntkd_colour"
TEACHER_SEED = 0
SECONDS = {"compact": 1.0e-3, "wide": 3.3e-3, "alexnet": 1.5e-3, "resnet18": 8e-3}  # an image and epoch
LONGER = {"wide": 3, "resnet18": 2}  # times the epochs of the others


class ColourMaker:
    """Make the cells of one set of colour images."""

    def __init__(self, parameters: ClassificationParameters, checksum: str) -> None:
        """Keep what all cells share."""
        self.parameters = parameters
        self.data = {parameters.colour: checksum}

    def teacher(self, name: str) -> Cell:
        """Make the cell that trains a teacher; all seeds of the students hear the same one."""
        epochs = self.parameters.colour_teacher_epochs * LONGER.get(name, 1)
        arguments = {**self._common(TEACHER_SEED), "network": name, "epochs": epochs}
        cost = 5 + SECONDS[name] * epochs * self.parameters.colour_images
        return self._cell(f"teacher/{name}", "teacher:train", arguments, cost=cost)

    def soft_labels(self, name: str) -> Cell:
        """Make the cell that asks a teacher for its logits."""
        arguments = {**self._common(TEACHER_SEED), "network": name}
        needs = {"teacher": self.teacher(name)}
        cost = 5 + SECONDS[name] * self.parameters.colour_images
        return self._cell(f"soft_labels/{name}", "teacher:answer", arguments, needs=needs, cost=cost)

    def tangent(self, name: str) -> Cell:
        """Make the cell that sketches a teacher's tangent kernel."""
        count = self.parameters.colour_kernel_images
        arguments = {
            **self._common(TEACHER_SEED),
            "network": name,
            "sketch": self.parameters.sketch,
            "kernel_images": count,
        }
        needs = {"teacher": self.teacher(name)}
        cost = 5 + 3e-2 * count
        return self._cell(f"tangent/{name}", "tangent:sketch", arguments, needs=needs, cost=cost)

    def student(
        self, method: Method, seed: int, settings: Mapping[str, float], tag: str = "", **changes: Any
    ) -> Cell:
        """Make the cell that trains one student."""
        asked, single = self.parameters, method.length == "single"
        epochs = asked.colour_single_epochs if single else asked.colour_epochs
        frequency = {"kernel_batch": asked.kernel_batch, "kernel_every": asked.colour_kernel_every}
        arguments = self._common(seed) | {
            "epochs": epochs,
            "batch": asked.batch,
            "objective": method.objective,
            "optics": method.optics,
            "rectified": method.rectified,
            "hidden": list(method.hidden),
            "augmented": not single,
            "settings": {**settings, **(frequency if method.hears_kernel else {})},
            "tested": True,
        }
        return self._cell(
            f"{method.name}{tag}/seed={seed}",
            "student:train",
            arguments | changes,
            uses=(f"ntkd_lib.distill.{method.objective}",),
            needs=self._needs(method),
            cost=1 + _speed(method) * epochs * asked.colour_images,
        )

    def embedding(self, students: Mapping[str, Cell], seed: int) -> Cell:
        """Make the cell that lays out features of test images in the plane."""
        return self._cell(
            f"embedding/seed={seed}", "embedding:draw", self._common(seed), needs=students, cost=20
        )

    def _needs(self, method: Method) -> dict[str, Cell]:
        """Name what a student hears, and the kernel that it is watched against."""
        if method.length == "single":
            return {}
        main, strong = self.parameters.colour_teacher, self.parameters.strong_teacher
        name = strong if method.teacher == "strong" else main
        watched = {"tangent": self.tangent(name)}
        hears_logits = method.objective in ("soft_labels", "tangent_soft")
        return watched | ({"soft_labels": self.soft_labels(name)} if hears_logits else {})

    def _common(self, seed: int) -> dict[str, Any]:
        return {
            "data": self.parameters.colour,
            "sha256": self.data[self.parameters.colour],
            "images": self.parameters.colour_images,
            "seed": seed,
            "device": self.parameters.device,
        }

    def _cell(self, name: str, work: str, arguments: dict[str, Any], **rest: Any) -> Cell:
        name = f"{self.parameters.colour}/{name}"
        return Cell(name=name, work=f"{PACKAGE}.{work}", arguments=arguments, data=self.data, **rest)


def _speed(method: Method) -> float:
    """Seconds an image and epoch, roughly; the longest cell must come first."""
    if method.length == "single":
        return 2e-5
    return 3.6e-4 if method.hears_kernel else 2.4e-4
