"""Cells that make a device, capture training images through it, and recover in several ways."""

import importlib
import math
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ntkd_lib.chapters.fabrication_recovery.made import (
    TAPS,
    Design,
    make_device,
    restore_design,
)
from ntkd_lib.chapters.fabrication_recovery.methods import CALIBRATION, CLEAN
from ntkd_lib.chapters.fabrication_recovery.reading import accuracy_through
from ntkd_lib.chapters.optical_students.classification_setting import Setting, prepare_digits, restore_student
from ntkd_lib.distill.objective import Teacher
from ntkd_lib.distill.training import Images, Schedule, converged, fit
from ntkd_lib.lab.cells import CellResult, Record
from ntkd_lib.optics.captured import CalibratedStudent, CapturedStudent, read_out
from ntkd_lib.optics.device import Device
from ntkd_lib.optics.errors import Captures

HELD_OUT, BATCH = 2000, 128
EPOCHS = 16  # at most about so many: validation images are tested twice in each
NONE = "uncompensated"


@dataclass(frozen=True)
class Bench:
    """A device on the bench: what is captured through it.

    Attributes:
        device: The device.
        design: What it was made from.
        psfs: Its point spread functions.
        setting: Data.
        rows: Positions of the captured training images.
        held_out: Positions of the captured validation images.
    """

    device: Device
    design: Design
    psfs: Float[Tensor, "m c t t"]
    setting: Setting
    rows: Tensor
    held_out: Tensor

    @cached_property
    def read_outs(self) -> Images:
        """Read-outs of the training and then the validation images, with their labels."""
        gains = self.design.gains
        return self._images([read_out(part, gains) for part in self._frames(self.device, self.psfs)])

    @cached_property
    def clean(self) -> Images:
        """The same images through the design itself, as it would be without any error."""
        psfs = Device().psfs(self.design.widths, self.design.geometry, TAPS)
        return self._images([read_out(part, self.design.gains) for part in self._frames(Device(), psfs)])

    @cached_property
    def captures(self) -> Images:
        """The captures themselves, those of one colour as the channels of an image."""
        return self._images([part[:, :, 0] for part in self._frames(self.device, self.psfs)])

    @property
    def _rows(self) -> Tensor:
        return torch.cat([self.rows, self.held_out])

    def _frames(self, device: Device, psfs: Tensor) -> Iterator[Captures]:
        return device.frames(self.setting.train.images[self._rows], psfs, "training")

    def _images(self, parts: list[Tensor]) -> Images:
        return Images(torch.cat(parts), self.setting.train.labels[self._rows])


def run(arguments: Mapping[str, Any], needs: Mapping[str, Record]) -> CellResult:
    """Make one device of a student's design and recover what it lost, back end only.

    Args:
        arguments: ``data``, ``sha256``, ``seed``, ``device``, ``number``, ``strength``, ``captures``,
            ``steps``, ``test``, and ``recoveries``: name, objective and settings of each.
        needs: ``student`` and ``design``; ``soft_labels`` and ``tangent`` where anything is trained.

    Returns:
        By name of the recovery, ``uncompensated`` among them: validation accuracy and, where asked for, test
        accuracy (percent), validation curve, whether it converged; ``psf_error``, the relative change of the
        captures' functions.
    """
    setting = prepare_digits(arguments)
    student = restore_student(needs["student"])
    bench = _bench(arguments, needs, setting)
    teacher = _teacher(needs, bench) if arguments["recoveries"] else Teacher()
    models, curves = {NONE: CapturedStudent(student.back)}, {NONE: []}
    for recovery in arguments["recoveries"]:
        torch.manual_seed(arguments["seed"])
        model, curve = _recovered(recovery, student.back, bench, teacher, arguments["steps"])
        models[recovery["name"]], curves[recovery["name"]] = model, curve
    found = {name: {"curve": curve, "converged": converged(curve)} for name, curve in curves.items()}
    for part in ("validation", "accuracy") if arguments["test"] else ("validation",):
        for name, value in _accuracies(models, bench, part).items():
            found[name][part] = value
    return CellResult({"recoveries": found, "psf_error": _psf_error(bench)})


def _bench(arguments: Mapping[str, Any], needs: Mapping[str, Record], setting: Setting) -> Bench:
    design, device = restore_design(needs["design"]), make_device(arguments)
    rows = torch.tensor(needs["tangent"].arrays["rows"]) if "tangent" in needs else setting.rows[:0]
    psfs = device.psfs(design.widths, design.geometry, TAPS)
    return Bench(device, design, psfs, setting, rows[: arguments["captures"]], setting.held_out[:HELD_OUT])


def _psf_error(bench: Bench) -> float:
    ideal = Device().psfs(bench.design.widths, bench.design.geometry, TAPS)
    return ((bench.psfs - ideal).norm() / ideal.norm()).item()


def _teacher(needs: Mapping[str, Record], bench: Bench) -> Teacher:
    """Say what the teacher knows of the captured images: it saw the images themselves."""
    count = len(bench.rows)
    features, diagonal = (
        torch.tensor(needs["tangent"].arrays[name][:count]).float() for name in ("features", "diagonal")
    )
    logits = torch.tensor(needs["soft_labels"].arrays["logits"])[bench.rows]
    return Teacher(logits, bench.read_outs.images[:count], features, diagonal)


def _recovered(
    recovery: Mapping[str, Any], back: nn.Sequential, bench: Bench, teacher: Teacher, steps: int
) -> tuple[nn.Module, list[float]]:
    name, settings, count = recovery["name"], recovery["settings"], len(bench.rows)
    back = deepcopy(back)
    model = _Gains(back, bench.design.gains) if name == CALIBRATION else CapturedStudent(back)
    data = bench.captures if name == CALIBRATION else bench.clean if name == CLEAN else bench.read_outs
    batch = min(BATCH, count)
    repeats = math.ceil(steps * batch / (EPOCHS * count))
    schedule = Schedule(
        max(2, round(steps * batch / (repeats * count))),
        batch,
        lr=settings["lr"],
        weight_decay=settings.get("weight_decay", 0.0),
    )
    build = importlib.import_module(f"ntkd_lib.distill.{recovery['objective']}").build
    places = torch.arange(len(data.labels))
    curve = fit(
        model, data, places[:count].repeat(repeats), places[count:], build(settings, teacher), schedule
    )
    return (model.calibrated if name == CALIBRATION else model), curve


class _Gains(nn.Module):
    """A calibrated student that is fed captures of one colour as the channels of an image."""

    def __init__(self, back: nn.Sequential, gains: Float[Tensor, "m c"]) -> None:
        super().__init__()
        self.calibrated = CalibratedStudent(back, gains)

    def forward(self, captures: Float[Tensor, "n m h w"]) -> Float[Tensor, "n classes"]:
        return self.calibrated(captures[:, :, None])


def _accuracies(models: Mapping[str, nn.Module], bench: Bench, part: str) -> dict[str, float]:
    gains = bench.design.gains
    if part == "accuracy":
        test = bench.setting.test
        frames = bench.device.frames(test.images, bench.psfs, "test")
        return accuracy_through(models, frames, gains, test.labels)
    train = bench.setting.train
    frames = bench.device.frames(train.images[bench.held_out], bench.psfs, "held out")
    return accuracy_through(models, frames, gains, train.labels[bench.held_out])
