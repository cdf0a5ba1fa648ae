"""Recorded devices for cars, at the strength at which students fall as far as on the paper's device.

A device's number fixes the draws of its errors, its strength scales them. The strength is chosen by the mean
drop of the tuning students' devices, before anything is recovered. Labels' trials then choose learning rate
and weight decay, and every other way has as many trials of its own at them. No trial reads a test car.
"""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from statistics import mean

import torch
from jaxtyping import Int
from torch import Tensor

from ntkd_lib.chapters.fabrication import NOTEBOOK
from ntkd_lib.chapters.fabrication.methods import CLEAN
from ntkd_lib.chapters.fabrication.studies.hard import LABELS, Settings, all_converged, mean_of, trial_arms
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
from ntkd_lib.lab import (
    Arm,
    Cell,
    CellResult,
    ProtocolError,
    Record,
    by_name,
    deterministic,
    load_claims,
    load_parameters,
    recorded_metrics,
    value_of,
)
from ntkd_lib.lab.trials import choose
from ntkd_lib.lab.work import Data, work
from ntkd_lib.optics.captured_masks import CapturedMaskStudent, CoarseDevice, laid_out, mask_read_out
from ntkd_lib.optics.geometry import SCALED, Geometry
from ntkd_lib.optics.segmentation import carvana_student
from ntkd_lib.show import Contest

DESIGN_STEPS = 60
SPACE = "ntkd.fab.carvana.paper_drop_tuning"
METRIC, DROP = "ntkd.fab.carvana.paper_drop.{}.miou", f"{SPACE}.strength_{{}}.drop"  # of a row, of a strength
DESIGNED, IDEAL = "designed", "ideal"

WAYS: Mapping[str, Method] = by_name(
    Method(LABELS, "labels (end to end)", objective="dense_labels"),
    Method("kd_ft", "soft-label KD", objective="dense_soft_labels"),
    Method("ntkd_ft", "NTKD", objective="dense_tangent"),
    Method(CLEAN, "labels, no errors (control)", objective="dense_labels"),
)
RECOVERED = (LABELS, "kd_ft", "ntkd_ft")


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


def device_cell(
    p: MaskStudentParameters,
    data: Data,
    student: Cell,
    recoveries: Mapping[str, Recovery],
    strength: float,
    *,
    number: int = 0,
    budget: Budget = Budget(),
    design_steps: int = DESIGN_STEPS,
    tested: bool = True,
) -> Cell:
    """Describe one device of a student, its photographs, and what several ways to recover win back."""
    summary = LogitSummary("pooled", p.kernel_outputs, students.TEACHER_SEED)
    seed, size = student.arguments["seed"], budget.geometry
    return photograph.cell(
        data=data,
        seed=seed,
        number=number,
        strength=strength,
        budget=budget,
        batch=p.batch,
        summary=summary,
        recoveries=recoveries,
        design=design.cell(seed=seed, scenes="cars", steps=design_steps, geometry=size, student=student),
        student=student,
        kernel=students.tangent_cell(p, data, summary, budget.share),
        logits=students.logits_cell(p, data),
        tested=tested,
    )


def recovery(p: MaskStudentParameters, way: str, own: Settings) -> Recovery:
    """Describe a way to recover with settings; `form` names the kernel loss among them."""
    kernel = {"kernel_batch": p.kernel_batch, "kernel_every": p.kernel_every} if "form" in own else {}
    return Recovery(WAYS[way].objective, {**own, **kernel}, errors=way != CLEAN)


def strength_arms(parameters: Settings, seed: int, sha256: str) -> dict[str, Arm]:
    """Measure at every strength how far a student's devices fall without compensation."""
    return {
        DROP.format(each): Arm(_devices(parameters, seed, sha256, {}, strength=each, tested=False), _drop)
        for each in parameters["strengths"]
    }


def tuning_arms(parameters: Settings, seed: int, sha256: str) -> dict[str, Arm]:
    """Run all trials of every way at the chosen strength, those of transfers at labels' best speed."""
    p = _training(parameters)
    point = choose(parameters["point"], SPACE, LABELS) if "point" in parameters else {}
    strength = matched_strength(parameters)
    devices = partial(_devices, parameters, seed, sha256, strength=strength, tested=False)
    return trial_arms(
        SPACE, parameters["trials"], lambda way, own: recovery(p, way, {**point, **own}), devices
    )


def confirmed_arms(parameters: Settings, seed: int, sha256: str) -> dict[str, Arm]:
    """Recover a student's devices in every chosen way, and score each on test cars."""
    p, point = _training(parameters), choose(parameters["point"], SPACE, LABELS)
    chosen = {way: choose(protocols, SPACE, way) for way, protocols in parameters["arms"].items()}
    ways = {way: recovery(p, way, {**point, **own}) for way, own in {**chosen, CLEAN: {}}.items()}
    cells = _devices(parameters, seed, sha256, ways, strength=matched_strength(parameters))
    ideal = Arm((cells[0].needs["student"],), value_of("miou"))
    return {METRIC.format(IDEAL): ideal} | {
        METRIC.format(row): Arm(cells, partial(mean_of, row, "miou"), partial(all_converged, row))
        for row in (DESIGNED, NONE, *ways)
    }


def matched_strength(parameters: Settings) -> float:
    """Choose the strength at which tuning students fall, in the mean, as far as is registered."""
    protocol = parameters["strength_of"]
    entry, drops = load_claims().protocols[protocol], recorded_drops(protocol)
    complete = [strength for strength, values in drops.items() if len(values) == len(entry.seeds)]
    if len(complete) < len(entry.parameters["strengths"]):
        count = f"{len(complete)} of {len(entry.parameters['strengths'])}"
        raise ProtocolError(f"{protocol}: {count} strengths are recorded; all are needed")
    return min(complete, key=lambda strength: abs(mean(drops[strength]) - parameters["matched_drop"]))


def recorded_drops(protocol: str) -> dict[float, list[float]]:
    """Read how far each tuning student falls at each strength."""
    recorded = recorded_metrics(f"{NOTEBOOK[:2]}_{protocol}")
    names = {each: DROP.format(each) for each in load_claims().protocols[protocol].parameters["strengths"]}
    return {each: recorded[name].values for each, name in names.items() if name in recorded}


def _drop(*devices: Record) -> float:
    return mean_of(DESIGNED, "validation", *devices) - mean_of(NONE, "validation", *devices)


def _training(parameters: Settings) -> MaskStudentParameters:
    return load_parameters(MaskStudentParameters, students.NOTEBOOK, "cpu", parameters["run"])


def _devices(
    parameters: Settings,
    seed: int,
    sha256: str,
    ways: Mapping[str, Recovery],
    *,
    strength: float,
    tested: bool = True,
) -> tuple[Cell, ...]:
    """Describe the devices of the NTKD student of a seed, which notebook 02's choices trained."""
    p, data, settings = _training(parameters), Data("carvana", sha256), parameters["student"]
    student = students.student_cell(p, data, students.METHODS[f"ntkd_{settings['form']}"], seed, settings)
    numbers = range(parameters["devices"])
    return tuple(device_cell(p, data, student, ways, strength, number=n, tested=tested) for n in numbers)


CONTEST = Contest(SPACE, {way: WAYS[way].label for way in RECOVERED}, ["cars"], METRIC, base=LABELS)
PARTS = {
    "cars strengths": strength_arms,
    "cars tuning": tuning_arms,
    "cars tuning wider": tuning_arms,
    "cars tuning of transfers": tuning_arms,
    "cars": confirmed_arms,
}
