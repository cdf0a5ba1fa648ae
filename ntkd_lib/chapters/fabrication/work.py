"""Work on metasurfaces that are not made as designed: designs, devices, recoveries, single errors."""

import math
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ntkd_lib.chapters.optical_students.classification_setting import (
    Setting,
    digit_partition,
    prepare,
    restore_student,
)
from ntkd_lib.chapters.optical_students.masks import restore
from ntkd_lib.distill.objective import Teacher
from ntkd_lib.distill.objectives import OBJECTIVES
from ntkd_lib.distill.training import Images, Schedule, converged, fit
from ntkd_lib.lab import CellResult, Record, derive_seed, deterministic
from ntkd_lib.lab.work import Data, work
from ntkd_lib.optics.captured import CalibratedStudent, CapturedStudent, read_out
from ntkd_lib.optics.design import DesignOptions, capture_gains, design_widths, efficiency, plane_psfs
from ntkd_lib.optics.device import Device
from ntkd_lib.optics.errors import Captures, Error
from ntkd_lib.optics.geometry import SCALED, Geometry
from ntkd_lib.optics.psf import binned, psf_cosine, target_psfs
from ntkd_lib.optics.segmentation import carvana_student
from ntkd_lib.optics.strength import SINGLE_ERRORS, drawn_errors

NONE = "uncompensated"
GREEN = SCALED.of_colours(0.532)
TAPS = 11  # filter pixels that a capture is computed with: two around the filter
HELD_OUT, BATCH = 2000, 128
EPOCHS = 16  # at most about so many: validation images are tested twice in each


@dataclass(frozen=True)
class Recovery:
    """One way to recover: what is trained by which loss, on captures with or without errors."""

    objective: str
    settings: Mapping[str, int | float | str]  # learning rate, weight decay and what the loss takes
    part: Literal["back end", "gains"] = "back end"
    errors: bool = True  # whether captures are taken through the device; a control takes the design's

    @property
    def speed(self) -> dict[str, float]:
        """Learning rate and weight decay."""
        return {"lr": self.settings["lr"], "weight_decay": self.settings.get("weight_decay", 0.0)}


@dataclass(frozen=True)
class Design:
    """Designed metasurfaces of one student."""

    widths: Float[Tensor, "m n n"]  # of pillars, um
    gains: Float[Tensor, "m c"]  # signed and digital, of captures
    geometry: Geometry

    def psfs(self, device: Device, taps: int = TAPS) -> Float[Tensor, "m c t t"]:
        """Compute the point spread functions of a device that is made of the design."""
        return device.psfs(self.widths, self.geometry, taps)


def fit_design(
    filters: Float[Tensor, "k c s s"], geometry: Geometry, steps: int, seed: int
) -> tuple[CellResult, Design]:
    """Fit one metasurface to each part of each signed filter, all colours at once."""
    targets, signs = target_psfs(filters)
    widths = design_widths(targets, geometry, DesignOptions(steps=steps, seed=seed))
    psfs = binned(plane_psfs(widths, geometry), geometry, geometry.taps)
    gains = capture_gains(psfs, targets, signs)
    cosines = torch.where(targets.amax(dim=(-2, -1)) > 0, psf_cosine(psfs, targets), 1.0)
    values = {"cosines": cosines.tolist(), "efficiency": efficiency(psfs, geometry).tolist()}
    nanometres = (1000 * widths).round().numpy().astype(np.uint16)
    arrays = {"nanometres": nanometres, "gains": gains.numpy()}
    return CellResult(values, arrays), Design(widths, gains, geometry)


@work(cost=lambda geometry, **_: 10 if len(geometry.wavelengths) == 1 else 110)
def design(
    seed: int, *, scenes: Literal["digits", "cars"], steps: int, geometry: Geometry, student: Record
) -> CellResult:
    """Design a student's metasurfaces: cosines and efficiencies per capture and colour, widths and gains."""
    deterministic(seed)
    if scenes == "digits":
        filters = restore_student(student).front.filters
    else:
        filters = restore(carvana_student(), student).front.bank
    return fit_design(filters.detach(), geometry, steps, seed)[0]


def restore_design(record: Record, geometry: Geometry = GREEN) -> Design:
    """Rebuild a design from its record."""
    widths = torch.from_numpy(record.arrays["nanometres"].astype(np.float32)) / 1000
    return Design(widths, torch.tensor(record.arrays["gains"]), geometry)


def make_device(seed: int, number: int, strength: float) -> Device:
    """Draw the errors of a device: the same seed and number give the same draws at every strength."""
    own = derive_seed("device", seed, number)
    return Device(drawn_errors(strength, own), own)


@work(cost=lambda filters, **_: 2.5 * filters)
def colour_design(*, filters: int, steps: int, colours: int, students: Sequence[Record]) -> CellResult:
    """Design colour filters, one metasurface for three wavelengths, each with a filter of its own."""
    deterministic(0)
    grey = torch.cat([restore_student(record).front.filters.detach()[:, 0] for record in students])
    count = filters * colours
    bank = grey.repeat(-(-count // len(grey)), 1, 1)[:count].unflatten(0, (filters, colours))
    result, fitted = fit_design(bank, SCALED, steps, 0)
    pair = [0, filters]
    light = plane_psfs(fitted.widths[pair], SCALED).numpy()
    return CellResult(
        result.values, {**result.arrays, "targets": target_psfs(bank)[0][pair].numpy(), "light": light}
    )


@dataclass(frozen=True)
class Bench:
    """A device and what is captured through it."""

    device: Device
    design: Design
    psfs: Float[Tensor, "m c t t"]
    setting: Setting
    rows: Int[Tensor, " n"]  # of the captured training images, then of the validation images
    taken: int  # how many training images are captured

    @cached_property
    def read_outs(self) -> Images:
        """Read-outs of the training and then the validation images, with their labels."""
        return self.images()

    def images(self, *, errors: bool = True, pooled: bool = True) -> Images:
        """Capture the same images through the device or its design, to read them out or as channels."""
        device, psfs = (self.device, self.psfs) if errors else (Device(), self.design.psfs(Device()))
        frames = device.frames(self.setting.train.images[self.rows], psfs, "training")
        parts = [read_out(part, self.design.gains) if pooled else part[:, :, 0] for part in frames]
        return Images(torch.cat(parts), self.setting.train.labels[self.rows])

    def accuracies(self, models: Mapping[str, nn.Module], part: str) -> dict[str, float]:
        """Test back ends on captures of the validation images or the test images."""
        images, name = self.setting.test, "test"
        if part == "validation":
            rows, name = self.rows[self.taken :], "held out"
            images = Images(self.setting.train.images[rows], self.setting.train.labels[rows])
        frames = self.device.frames(images.images, self.psfs, name)
        return accuracy_through(models, frames, self.design.gains, images.labels)


@work(cost=lambda recoveries, **_: 4 + 3 * len(recoveries))
def recover(
    data: Data,
    seed: int,
    *,
    number: int,
    strength: float,
    captures: int,
    steps: int,
    recoveries: Mapping[str, Recovery],
    design: Record,
    student: Record,
    soft_labels: Record | None = None,
    tangent: Record | None = None,
    taps: int = TAPS,
    tested: bool = True,
    device: str = "cpu",
) -> CellResult:
    """Make one device of a student's design and recover what it lost, back end only.

    Of each way, "uncompensated" among them, validation and, if tested, test accuracy (percent), validation
    curve and whether it converged; `psf_error` is the relative change of the PSFs.
    """
    setting = prepare(data, digit_partition(seed), seed, device)
    own, made = restore_design(design), make_device(seed, number, strength)
    rows = torch.tensor(tangent.arrays["rows"])[:captures] if tangent else setting.rows[:0]
    both = torch.cat([rows, setting.held_out[:HELD_OUT]])
    bench = Bench(made, own, own.psfs(made, taps), setting, both, len(rows))
    back = restore_student(student).back
    teacher = _teacher(soft_labels, tangent, bench) if soft_labels and tangent else Teacher()
    models, curves = {NONE: CapturedStudent(back)}, {NONE: []}
    for name, recovery in recoveries.items():
        torch.manual_seed(seed)
        models[name], curves[name] = _recovered(recovery, deepcopy(back), bench, teacher, steps)
    parts = ("validation", "accuracy") if tested else ("validation",)
    values = outcomes(curves, {part: bench.accuracies(models, part) for part in parts})
    return CellResult(
        {"recoveries": values, "psf_error": relative_change(bench.psfs, own.psfs(Device(), taps))}
    )


def outcomes(
    curves: Mapping[str, list[float]], scores: Mapping[str, Mapping[str, float]]
) -> dict[str, dict[str, Any]]:
    """Collect curve, plateau and scores by way to recover."""
    values = {name: {"curve": curve, "converged": converged(curve)} for name, curve in curves.items()}
    return {n: {**own, **{part: score[n] for part, score in scores.items()}} for n, own in values.items()}


def relative_change(made: Tensor, ideal: Tensor) -> float:
    """Compute the norm of a change relative to the norm of what is changed."""
    return ((made - ideal).norm() / ideal.norm()).item()


def _teacher(soft_labels: Record, tangent: Record, bench: Bench) -> Teacher:
    """Collect the teacher's outputs on the captured images: it saw the images themselves."""
    count, logits = bench.taken, torch.tensor(soft_labels.arrays["logits"])
    features, diagonal = (torch.tensor(tangent.arrays[n][:count]).float() for n in ("features", "diagonal"))
    return Teacher(logits[bench.rows[:count]], bench.read_outs.images[:count], features, diagonal)


def _recovered(
    recovery: Recovery, back: nn.Sequential, bench: Bench, teacher: Teacher, steps: int
) -> tuple[nn.Module, list[float]]:
    count, gains = bench.taken, recovery.part == "gains"
    model = _Gains(back, bench.design.gains) if gains else CapturedStudent(back)
    usual = recovery.errors and not gains
    data = bench.read_outs if usual else bench.images(errors=recovery.errors, pooled=not gains)
    batch = min(BATCH, count)
    repeats = math.ceil(steps * batch / (EPOCHS * count))
    epochs = max(2, round(steps * batch / (repeats * count)))
    places, loss = torch.arange(len(data.labels)), OBJECTIVES[recovery.objective](recovery.settings, teacher)
    rows, schedule = places[:count].repeat(repeats), Schedule(epochs, batch, **recovery.speed)
    curve = fit(model, data, rows, places[count:], loss, schedule)
    return (model.calibrated if gains else model), curve


class _Gains(nn.Module):
    """A calibrated student that is fed captures of one colour as the channels of an image."""

    def __init__(self, back: nn.Sequential, gains: Float[Tensor, "m c"]) -> None:
        super().__init__()
        self.calibrated = CalibratedStudent(back, gains)

    def forward(self, captures: Float[Tensor, "n m h w"]) -> Float[Tensor, "n classes"]:
        return self.calibrated(captures[:, :, None])


@torch.no_grad()
def accuracy_through(
    models: Mapping[str, nn.Module],
    frames: Iterable[Captures],
    gains: Float[Tensor, "m c"],
    labels: Int[Tensor, " n"],
) -> dict[str, float]:
    """Test several back ends on the same captures, frame by frame."""
    hits, start = dict.fromkeys(models, 0), 0
    for captures in frames:
        own = labels[start : start + len(captures)]
        maps, start = read_out(captures, gains), start + len(captures)
        for name, model in models.items():
            logits = model(captures if isinstance(model, CalibratedStudent) else maps)
            hits[name] += int((logits.argmax(1) == own).sum())
    return {name: 100 * count / len(labels) for name, count in hits.items()}


@work(cost=lambda **_: 10)
def single_errors(
    data: Data, seed: int, *, images: int, design: Record, student: Record, device: str = "cpu"
) -> CellResult:
    """Test a student, without recovery, through devices with no and one error each, at two magnitudes."""
    setting, own = prepare(data, digit_partition(seed), seed, device), restore_design(design)
    models, rows = {NONE: CapturedStudent(restore_student(student).back)}, setting.held_out[:images]
    scenes, labels = setting.train.images[rows], setting.train.labels[rows]

    def accuracy(*errors: Error) -> float:
        made = Device(errors, seed)
        frames = made.frames(scenes, own.psfs(made), "held out")
        return accuracy_through(models, frames, own.gains, labels)[NONE]

    pairs = {name: [accuracy(error) for error in both] for name, both in SINGLE_ERRORS.items()}
    return CellResult({"none": accuracy(), "errors": pairs})
