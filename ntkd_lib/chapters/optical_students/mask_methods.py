"""Students for masks: what is compared, the settings that the recorded search chose, and their cells."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ntkd_lib.chapters.optical_students.mask_parameters import MaskStudentParameters
from ntkd_lib.chapters.optical_students.masks import (
    TRAINING_IMAGES,
    LogitSummary,
    MaskLoss,
    student,
    tangent,
    teacher,
    teacher_logits,
)
from ntkd_lib.lab.cells import Cell
from ntkd_lib.lab.search import Range
from ntkd_lib.lab.searches import at_speed_of, best_of, mean_validation, read_search
from ntkd_lib.lab.work import Data
from ntkd_lib.optics.segmentation import MaskOptics

NOTEBOOK = "02_ntkd_segmentation"  # whose recorded search gives all settings
TEACHER_SEED, TEACHER_BATCH = 0, 8
STANDIN_STEPS = 240  # drawings are few; more steps would only learn them by heart

SPEED: Mapping[str, Range] = {"lr": (1.5e-3, 1e-2, "log"), "weight_decay": (1e-5, 1e-1, "log")}
SINGLE: Mapping[str, Range] = {"lr": (2e-3, 2e-1, "log")}  # one layer takes longer steps
SOFT: Mapping[str, Range] = {"temperature": (1.0, 8.0, "log"), "weight": (0.1, 1.0, "linear")}
TANGENT: Mapping[str, Range] = {"weight": (1e-4, 1e0, "log")}
FORMS = ("ntkd_raw", "ntkd_normalised", "ntkd_cosine", "ntkd_projected")
# Compared students train at one learning rate and weight decay: those of masks alone.
SPEED_OF: Mapping[str, str] = dict.fromkeys(("kd", *FORMS), "none")


@dataclass(frozen=True)
class MaskMethod:
    """One student.

    Attributes:
        name: Short name, used in metrics and frames.
        label: What tables and figures call it.
        loss: Loss that it minimises.
        optics: Front end, as ``carvana_student`` names it.
        form: Form of the kernel loss, empty if there is none.
        summary: What stands for dense logits in kernels, empty if there are none.
        space: What its search draws from; None if it takes another method's settings.
        settings_of: The method whose settings it takes; itself if it has a space.
        length: How long it trains.
    """

    name: str
    label: str
    loss: MaskLoss = "dense_labels"
    optics: MaskOptics = "signed"
    form: str = ""
    summary: str = ""
    space: Mapping[str, Range] | None = None
    settings_of: str = ""
    length: Literal["usual", "long"] = "usual"

    @property
    def uses_kernel(self) -> bool:
        """Whether its loss uses the teacher's tangent kernel."""
        return bool(self.summary)


def _tuned(name: str, label: str, space: Mapping[str, Range], **fields: Any) -> MaskMethod:
    return MaskMethod(name, label, space=space, settings_of=name, **fields)


def _tangent(name: str, label: str, form: str, summary: str) -> MaskMethod:
    return _tuned(name, label, {**SPEED, **TANGENT}, loss="dense_tangent", form=form, summary=summary)


METHODS: Mapping[str, MaskMethod] = {
    method.name: method
    for method in (
        _tuned("none", "masks only", SPEED),
        _tuned("kd", "soft-label KD", {**SPEED, **SOFT}, loss="dense_soft_labels"),
        _tangent("ntkd_raw", "NTKD, pooled, raw", "raw", "pooled"),
        _tangent("ntkd_normalised", "NTKD, pooled, trace-normalised", "normalised", "pooled"),
        _tangent("ntkd_cosine", "NTKD, pooled, centred cosine", "cosine", "pooled"),
        _tangent("ntkd_projected", "NTKD, projected, trace-normalised", "normalised", "projected"),
        MaskMethod("none_long", "masks only, equal time", settings_of="none", length="long"),
        MaskMethod("random_frozen", "random signed filters", optics="random", settings_of="none"),
        _tuned("lens", "ideal lens", SPEED, optics="lens"),
        _tuned("f8", "8 random PSFs, one up-sampling layer", SINGLE, optics="random-positive"),
        MaskMethod(
            "many", "many random PSFs, one up-sampling layer", optics="random-positive", settings_of="f8"
        ),
    )
}


def best_trial(method: str) -> dict[str, Any]:
    """Select the trial with the highest mean validation mIoU of a method (the first of equals)."""
    return best_of(read_search(NOTEBOOK)["trials"], METHODS[method].settings_of)


def training_settings(method: str) -> dict[str, Any]:
    """Return the settings of a method's best trial, at the speed of the methods compared with it."""
    own, leader = best_trial(method)["settings"], SPEED_OF.get(METHODS[method].settings_of)
    return at_speed_of(own, best_trial(leader)["settings"]) if leader else own


def chosen_form() -> str:
    """Name the form of the kernel loss that wins on validation cars: the method that stands for "NTKD"."""
    return max(FORMS, key=lambda form: mean_validation(best_trial(form)))


def teacher_cell(parameters: MaskStudentParameters, data: Data) -> Cell:
    """Describe the training of the teacher, which all students share."""
    steps = _limited(parameters.teacher_steps, data)
    device = parameters.device
    return teacher.cell(data=data, seed=TEACHER_SEED, steps=steps, batch=TEACHER_BATCH, device=device)


def logits_cell(parameters: MaskStudentParameters, data: Data) -> Cell:
    """Describe the teacher's logits of all training images."""
    trained = teacher_cell(parameters, data)
    return teacher_logits.cell(data=data, seed=TEACHER_SEED, teacher=trained, device=parameters.device)


def tangent_cell(parameters: MaskStudentParameters, data: Data, summary: LogitSummary) -> Cell:
    """Describe the compression of the teacher's tangent kernel."""
    images = TRAINING_IMAGES[data.kind]
    return tangent.cell(
        data=data,
        seed=TEACHER_SEED,
        summary=summary,
        landmarks=min(parameters.landmarks, images // 4),
        images=min(parameters.kernel_images, images // 2),
        teacher=teacher_cell(parameters, data),
        device=parameters.device,
    )


def student_cell(
    parameters: MaskStudentParameters,
    data: Data,
    method: MaskMethod,
    seed: int,
    settings: Mapping[str, float],
    *,
    tested: bool = True,
) -> Cell:
    """Describe the training of one student."""
    steps = parameters.long_steps if method.length == "long" else parameters.steps
    return student.cell(
        {"method": method.name},
        data=data,
        seed=seed,
        steps=_limited(steps, data),
        batch=parameters.batch,
        settings={**settings, **loss_settings(parameters, method)},
        loss=method.loss,
        optics=method.optics,
        filters=parameters.many if method.name == "many" else 8,
        tested=tested,
        device=parameters.device,
        **_teaching(parameters, data, method),
    )


def loss_settings(parameters: MaskStudentParameters, method: MaskMethod) -> dict[str, float | str]:
    """Collect what the kernel loss takes beside the settings of a search."""
    if not method.uses_kernel:
        return {}
    often = {"kernel_batch": parameters.kernel_batch, "kernel_every": parameters.kernel_every}
    return {**often, "form": method.form}


def _teaching(parameters: MaskStudentParameters, data: Data, method: MaskMethod) -> dict[str, Any]:
    if method.uses_kernel:
        summary = LogitSummary(method.summary, parameters.kernel_outputs, TEACHER_SEED)
        return {"summary": summary, "kernel": tangent_cell(parameters, data, summary)}
    return {"logits": logits_cell(parameters, data)} if method.loss == "dense_soft_labels" else {}


def _limited(steps: int, data: Data) -> int:
    return steps if data.kind == "real" else min(steps, STANDIN_STEPS)
