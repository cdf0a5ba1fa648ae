"""The cells of notebook 02 and how each is made, for the plan of a run and for the search."""

from collections.abc import Mapping
from typing import Any

from ntkd_lib.chapters.ntkd_segmentation.methods import Method
from ntkd_lib.chapters.ntkd_segmentation.parameters import SegmentationParameters
from ntkd_lib.lab.cells import Cell

PACKAGE = "ntkd_lib.chapters.ntkd_segmentation"
TEACHER_SEED = 0
TEACHER_BATCH = 8
STANDIN_STEPS = 240  # drawings are few; more steps would only learn them by heart
STANDIN_IMAGES = 192


class CellMaker:
    """Make the cells of one data set; all students share one teacher, trained once."""

    def __init__(
        self, parameters: SegmentationParameters, checksum: str, *, real: bool = True, declared: bool = True
    ) -> None:
        """Remember what all cells share."""
        self.parameters = parameters
        self.checksum = checksum
        self.data = {parameters.data: checksum} if declared else {}
        self.images = 4_064 if real else STANDIN_IMAGES
        self.most = 1_000_000 if real else STANDIN_STEPS

    def teacher(self) -> Cell:
        """Make the cell that trains the teacher."""
        steps = min(self.parameters.teacher_steps, self.most)
        arguments = {**self._common(TEACHER_SEED), "steps": steps, "batch": TEACHER_BATCH}
        return self._cell("teacher", "teacher:train", arguments, cost=10 + 0.02 * steps * TEACHER_BATCH)

    def voice(self) -> Cell:
        """Make the cell that keeps the teacher's logits of all training images."""
        arguments = self._common(TEACHER_SEED)
        needs = {"teacher": self.teacher()}
        return self._cell("voice", "teacher:speak", arguments, needs=needs, cost=5 + 0.007 * self.images)

    def tangent(self, summary: str) -> Cell:
        """Make the cell that compresses the teacher's tangent kernel."""
        asked = self.parameters
        images = min(asked.kernel_images, self.images // 2)
        arguments = self._common(TEACHER_SEED) | {
            "summary": summary,
            "outputs": asked.kernel_outputs,
            "landmarks": min(asked.landmarks, self.images // 4),
            "images": images,
        }
        needs = {"teacher": self.teacher()}
        return self._cell(f"tangent/{summary}", "tangent:compress", arguments, needs=needs, cost=images / 3)

    def student(
        self, method: Method, seed: int, settings: Mapping[str, float], trial: int | None = None
    ) -> Cell:
        """Make the cell that trains one student."""
        asked = self.parameters
        steps = min(asked.long_steps if method.length == "long" else asked.steps, self.most)
        arguments = self._common(seed) | {
            "steps": steps,
            "batch": asked.batch,
            "objective": method.objective,
            "optics": method.optics,
            "filters": asked.many if method.name == "many" else 8,
            "settings": self._settings(method, settings),
            "tested": trial is None,
        }
        tag = "" if trial is None else f"/trial={trial}"
        return self._cell(
            f"{method.name}{tag}/seed={seed}",
            "student:train",
            arguments,
            uses=(f"ntkd_lib.distill.{method.objective}",),
            needs=self._needs(method),
            cost=8 + steps * self._step_cost(method),
        )

    def _step_cost(self, method: Method) -> float:
        asked = self.parameters
        kernel = 0.3 * asked.kernel_batch / asked.kernel_every if method.hears_kernel else 0.0
        return 0.009 * asked.batch + kernel

    def _settings(self, method: Method, settings: Mapping[str, float]) -> dict[str, Any]:
        if not method.hears_kernel:
            return dict(settings)
        asked = self.parameters
        frequency = {"kernel_batch": asked.kernel_batch, "kernel_every": asked.kernel_every}
        return {**settings, **frequency, "form": method.form}

    def _needs(self, method: Method) -> dict[str, Cell]:
        if method.hears_kernel:
            return {"tangent": self.tangent(method.summary)}
        return {"voice": self.voice()} if method.objective == "dense_soft_labels" else {}

    def _common(self, seed: int) -> dict[str, Any]:
        asked = self.parameters
        return {"data": asked.data, "sha256": self.checksum, "seed": seed, "device": asked.device}

    def _cell(self, name: str, work: str, arguments: dict[str, Any], **rest: Any) -> Cell:
        name = f"{self.parameters.data}/{name}"
        return Cell(name=name, work=f"{PACKAGE}.{work}", arguments=arguments, data=self.data, **rest)
