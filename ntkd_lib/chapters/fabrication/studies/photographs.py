"""Devices for photographs of cars: recovery, the search for its learning rates, and the recorded protocol."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from ntkd_lib.chapters.fabrication.methods import CLEAN, severity
from ntkd_lib.chapters.fabrication.work import (
    NONE,
    Design,
    Recovery,
    design,
    make_device,
    outcomes,
    relative_change,
    restore_design,
)
from ntkd_lib.chapters.optical_students import mask_methods as students
from ntkd_lib.chapters.optical_students.classification_methods import Method
from ntkd_lib.chapters.optical_students.mask_parameters import MaskStudentParameters
from ntkd_lib.chapters.optical_students.masks import LOSSES, LogitSummary, car_rows, restore
from ntkd_lib.data.mask_pairs import Part
from ntkd_lib.data.masks import load_masks
from ntkd_lib.distill import DenseTeacher, MaskSchedule, mean_iou
from ntkd_lib.distill.read_out_training import ReadOuts, fit_read_outs, guessed_masks
from ntkd_lib.lab import Arm, Cell, CellResult, Record, RunCells, deterministic, load_parameters, value_of
from ntkd_lib.lab.search import by_name
from ntkd_lib.lab.work import Data, work
from ntkd_lib.optics.captured_masks import CapturedMaskStudent, CoarseDevice, laid_out, mask_read_out
from ntkd_lib.optics.geometry import SCALED, Geometry
from ntkd_lib.optics.segmentation import carvana_student

DESIGN_STEPS = 60
RATES = (1.5e-3, 4.5e-3, 1.35e-2)  # tried by every way to recover, on a device that is not reported
TUNED = (0, 1)  # seed and number of that device; devices that are reported have number 0
DESIGNED, IDEAL = "designed", "ideal"


# Ways take weight decay and loss settings of students of notebook 02; `ntkd` is the chosen form.
WAYS: Mapping[str, Method] = by_name(
    Method("e2e_ft", "labels (end to end)", objective="dense_labels", settings_of="none"),
    Method("kd_ft", "soft-label KD", objective="dense_soft_labels", settings_of="kd"),
    Method("ntkd_ft", "NTKD", objective="dense_tangent", settings_of="ntkd"),
    Method(CLEAN, "labels, no errors (control)", objective="dense_labels", settings_of="none"),
)
RATE_OF = {name: "e2e_ft" if name == CLEAN else name for name in WAYS}  # whose search chooses the rate


@dataclass(frozen=True)
class Budget:
    """Budgets, the same for every way to recover."""

    steps: int = 240
    share: int = 10  # one training car in so many is photographed through the device
    followed: int = 5  # one validation image in so many follows the training
    geometry: Geometry = SCALED


@dataclass(frozen=True)
class Camera:
    """A device with the metasurfaces of a design, which photographs cars."""

    data: Data
    device: CoarseDevice
    design: Design
    psfs: Tensor

    def read_outs(self, part: Part, rows: Tensor | slice, name: str) -> ReadOuts:
        """Photograph some images of a part and read them out, relative to a grey field."""
        cars, gains = load_masks(self.data.name, part, self.data.sha256), self.design.gains
        images = cars.images[rows]
        grey = self.device.grey(self.psfs, *images.shape[2:])
        frames = self.device.photographs(images, self.psfs, name)
        maps = [laid_out(mask_read_out(captures, gains, grey)) for captures in frames]
        return ReadOuts(torch.cat(maps), cars.masks[rows])


@work(cost=lambda recoveries, **_: 25 + 15 * len(recoveries))
def photograph(
    data: Data,
    seed: int,
    *,
    number: int,
    strength: float,
    budget: Budget,
    batch: int,
    summary: LogitSummary,
    recoveries: Mapping[str, Recovery],
    design: Record,
    student: Record,
    kernel: Record,
    logits: Record,
    tested: bool = True,
) -> CellResult:
    """Make one device of a student's design and recover what it lost, back end only."""
    deterministic(seed)
    own, drawn = restore_design(design, budget.geometry), make_device(seed, number, strength)
    devices = {True: CoarseDevice(drawn.errors, drawn.seed), False: CoarseDevice()}
    cameras = {errors: Camera(data, device, own, own.psfs(device)) for errors, device in devices.items()}
    back = restore(carvana_student(), student).back
    rows = car_rows(load_masks(data.name, "train", data.sha256).cars, budget.share)
    part, every = ("test", 1) if tested else ("val", budget.followed)
    scores, curves = {}, {}
    for errors, camera in cameras.items():
        ways = {name: recovery for name, recovery in recoveries.items() if recovery.errors is errors}
        models = {NONE if errors else DESIGNED: CapturedMaskStudent(back)}
        if ways:
            train = camera.read_outs("train", rows, "training")
            shown = camera.read_outs("val", slice(None, None, budget.followed), "followed")
            teacher = _teacher(train, rows, summary, kernel, logits)
        for name, recovery in ways.items():
            torch.manual_seed(seed)
            models[name] = CapturedMaskStudent(deepcopy(back))
            loss = LOSSES[recovery.objective](recovery.settings, teacher)
            schedule = MaskSchedule(budget.steps, batch, *recovery.speed.values(), half=True)
            curves[name] = fit_read_outs(models[name], train, shown, loss, schedule)
        scored = camera.read_outs(part, slice(None, None, every), "scored")
        scores |= {n: mean_iou(guessed_masks(m, scored.images), scored.masks) for n, m in models.items()}
    trained = outcomes(curves, {})
    values = {n: {"miou" if tested else "validation": own, **trained.get(n, {})} for n, own in scores.items()}
    change = relative_change(cameras[True].psfs, cameras[False].psfs)
    return CellResult({"recoveries": values, "psf_error": change})


def _teacher(
    data: ReadOuts, rows: Int[Tensor, " n"], summary: LogitSummary, kernel: Record, logits: Record
) -> DenseTeacher:
    """Collect the teacher's outputs on the photographed images: it saw the images themselves."""
    places = torch.searchsorted(rows, torch.tensor(kernel.arrays["rows"]))
    return DenseTeacher(
        logits=torch.from_numpy(logits.arrays["logits"])[rows],
        images=data.images[places],
        features=torch.tensor(kernel.arrays["features"]),
        diagonal=torch.tensor(kernel.arrays["diagonal"]),
        summary=summary.build(data.masks[0].numel()),
    )


def student_cell(p: MaskStudentParameters, data: Data, seed: int) -> Cell:
    """Describe the training of the NTKD student, notebook 02's own."""
    method = students.MASKS.method("ntkd")
    return students.student_cell(p, data, method, seed, students.MASKS.settings(method.name))


def device_cell(
    p: MaskStudentParameters,
    data: Data,
    seed: int,
    recoveries: Mapping[str, Recovery],
    *,
    number: int = 0,
    budget: Budget = Budget(),
    design_steps: int = DESIGN_STEPS,
    tested: bool = True,
) -> Cell:
    """Describe one device, its photographs, and what several ways to recover win back."""
    own = student_cell(p, data, seed)
    summary = LogitSummary(students.MASKS.method("ntkd").summary, p.kernel_outputs, students.TEACHER_SEED)
    return photograph.cell(
        data=data,
        seed=seed,
        number=number,
        strength=severity(),
        budget=budget,
        batch=p.batch,
        summary=summary,
        recoveries=recoveries,
        design=design.cell(
            seed=seed, scenes="cars", steps=design_steps, geometry=budget.geometry, student=own
        ),
        student=own,
        kernel=students.tangent_cell(p, data, summary, budget.share),
        logits=students.logits_cell(p, data),
        tested=tested,
    )


def recovery(p: MaskStudentParameters, way: str, rate: float) -> Recovery:
    """Collect the settings of a way to recover: those of a student of notebook 02 at a rate of its own."""
    method = students.MASKS.method(WAYS[way].settings_of)
    searched = {**students.MASKS.settings(method.source), "lr": rate}
    settings = {**searched, **students.loss_settings(p, method)}
    return Recovery(WAYS[way].objective, settings, errors=way != CLEAN)


def student_parameters() -> MaskStudentParameters:
    """Load what the students and their teacher are trained with: notebook 02's tier paper."""
    return load_parameters(MaskStudentParameters, students.NOTEBOOK, "paper", {})


def trial_cell(p: MaskStudentParameters, data: Data, budget: Budget = Budget()) -> Cell:
    """Describe the search: one device, every way to recover at each learning rate."""
    tuned = dict.fromkeys(RATE_OF.values())
    recoveries = {f"{name}/{rate:g}": recovery(p, name, rate) for name in tuned for rate in RATES}
    seed, number = TUNED
    return device_cell(p, data, seed, recoveries, number=number, budget=budget, tested=False)


def conduct(data: Mapping[str, Data], run: RunCells) -> dict[str, Any]:
    """Search the learning rate of every way to recover on validation cars."""
    (record,) = run([trial_cell(student_parameters(), data["carvana"])])
    trials = [
        {"way": name, "lr": rate, "validation": record.values["recoveries"][f"{name}/{rate:g}"]["validation"]}
        for name in dict.fromkeys(RATE_OF.values())
        for rate in RATES
    ]
    return {"trials": trials, "rates": chosen_rates(trials)}


def chosen_rates(trials: list[dict[str, Any]]) -> dict[str, float]:
    """Choose the learning rate of every way to recover (the first of equals)."""
    own = {way: [trial for trial in trials if trial["way"] == leader] for way, leader in RATE_OF.items()}
    return {way: max(tried, key=itemgetter("validation"))["lr"] for way, tried in own.items()}


def metric_name(row: str) -> str:
    """Name the metric of a row."""
    return f"ntkd.fab.carvana.{row}.miou"


def arms(parameters: Mapping[str, Any], seed: int, sha256: str) -> dict[str, Arm]:
    """Make one device per student, recover in every way, and score each on test cars."""
    p, data = student_parameters(), Data("carvana", sha256)
    rates = parameters["rates"]
    device = device_cell(p, data, seed, {way: recovery(p, way, rate) for way, rate in rates.items()})
    rows = {n: Arm((device,), _value(n, "miou"), _value(n, "converged")) for n in (DESIGNED, NONE, *rates)}
    ideal = Arm((student_cell(p, data, seed),), value_of("miou"))
    return {metric_name(row): arm for row, arm in {IDEAL: ideal, **rows}.items()}


def _value(row: str, name: str) -> Callable[[Record], Any]:
    return lambda record: record.values["recoveries"][row].get(name)
