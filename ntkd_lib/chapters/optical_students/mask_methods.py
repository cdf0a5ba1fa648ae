"""Compared students for masks, the settings that the recorded search chose, and their cells."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ntkd_lib.chapters.optical_students import masks
from ntkd_lib.chapters.optical_students.classification_methods import Comparison
from ntkd_lib.chapters.optical_students.mask_parameters import MaskStudentParameters
from ntkd_lib.lab import Cell, Data, Range, mean_validation
from ntkd_lib.optics.segmentation import MaskOptics

NOTEBOOK = "02_ntkd_segmentation"  # its recorded search sets all settings
TEACHER_SEED, TEACHER_BATCH = 0, 8
STANDIN_STEPS = 240  # drawings are few; more steps would only overfit

SPEED: Mapping[str, Range] = {"lr": (1.5e-3, 1e-2, "log"), "weight_decay": (1e-5, 1e-1, "log")}
SINGLE: Mapping[str, Range] = {"lr": (2e-3, 2e-1, "log")}  # one layer takes longer steps
SOFT: Mapping[str, Range] = {"temperature": (1.0, 8.0, "log"), "weight": (0.1, 1.0, "linear")}
TANGENT: Mapping[str, Range] = {"weight": (1e-4, 1e0, "log")}
FORMS = ("ntkd_raw", "ntkd_normalised", "ntkd_cosine", "ntkd_projected")


@dataclass(frozen=True)
class MaskMethod:
    """One student: its name in metrics and frames, its label in tables, and its training."""

    name: str
    label: str
    loss: masks.MaskLoss = "dense_labels"
    optics: MaskOptics = "signed"
    form: str = ""  # of the kernel loss
    summary: str = ""  # of dense logits, for kernels
    space: Mapping[str, Range] | None = None  # of its search, if it has one
    settings_of: str = ""  # method whose search sets its settings
    length: Literal["usual", "long"] = "usual"

    @property
    def uses_kernel(self) -> bool:
        """Whether its loss uses the teacher's tangent kernel."""
        return bool(self.summary)


def _tuned_method(name: str, label: str, space: Mapping[str, Range], **fields: Any) -> MaskMethod:
    return MaskMethod(name, label, space=space, settings_of=name, **fields)


def _tangent_method(name: str, label: str, form: str, summary: str) -> MaskMethod:
    space = {**SPEED, **TANGENT}
    return _tuned_method(name, label, space, loss="dense_tangent", form=form, summary=summary)


METHODS: Mapping[str, MaskMethod] = {
    method.name: method
    for method in (
        _tuned_method("none", "masks only", SPEED),
        _tuned_method("kd", "soft-label KD", {**SPEED, **SOFT}, loss="dense_soft_labels"),
        _tangent_method("ntkd_raw", "NTKD, pooled, raw", "raw", "pooled"),
        _tangent_method("ntkd_normalised", "NTKD, pooled, trace-normalised", "normalised", "pooled"),
        _tangent_method("ntkd_cosine", "NTKD, pooled, centred cosine", "cosine", "pooled"),
        _tangent_method("ntkd_projected", "NTKD, projected, trace-normalised", "normalised", "projected"),
        MaskMethod("none_long", "masks only, equal time", settings_of="none", length="long"),
        MaskMethod("random_frozen", "random signed filters", optics="random", settings_of="none"),
        _tuned_method("lens", "ideal lens", SPEED, optics="lens"),
        _tuned_method("f8", "8 random PSFs, one up-sampling layer", SINGLE, optics="random-positive"),
        MaskMethod(
            "many", "many random PSFs, one up-sampling layer", optics="random-positive", settings_of="f8"
        ),
    )
}


# compared students share the learning rate and weight decay of masks alone
MASKS = Comparison(METHODS, search=NOTEBOOK, leaders=dict.fromkeys(("kd", *FORMS), "none"))


def chosen_form() -> str:
    """Select the kernel loss that is best on validation cars: the method called "NTKD"."""
    return max(FORMS, key=lambda form: mean_validation(MASKS.best_trial(form)))


def teacher_cell(parameters: MaskStudentParameters, data: Data) -> Cell:
    """Describe the training of the teacher, which all students share."""
    steps = _limit_steps(parameters.teacher_steps, data)
    device = parameters.device
    return masks.teacher.cell(data=data, seed=TEACHER_SEED, steps=steps, batch=TEACHER_BATCH, device=device)


def logits_cell(parameters: MaskStudentParameters, data: Data) -> Cell:
    """Describe the teacher's logits of all training images."""
    trained = teacher_cell(parameters, data)
    return masks.teacher_logits.cell(data=data, seed=TEACHER_SEED, teacher=trained, device=parameters.device)


def tangent_cell(
    parameters: MaskStudentParameters, data: Data, summary: masks.LogitSummary, share: int = 1
) -> Cell:
    """Describe the compression of the teacher's tangent kernel, of one training car in so many."""
    images = masks.TRAINING_IMAGES[data.kind] // share
    return masks.tangent.cell(
        data=data,
        seed=TEACHER_SEED,
        summary=summary,
        landmarks=min(parameters.landmarks, images // 4),
        images=min(parameters.kernel_images, images // 2),
        teacher=teacher_cell(parameters, data),
        share=share,
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
    return masks.student.cell(
        {"method": method.name},
        data=data,
        seed=seed,
        steps=_limit_steps(steps, data),
        batch=parameters.batch,
        settings={**settings, **loss_settings(parameters, method)},
        loss=method.loss,
        optics=method.optics,
        filters=parameters.many if method.name == "many" else 8,
        tested=tested,
        device=parameters.device,
        **_teacher_inputs(parameters, data, method),
    )


def loss_settings(parameters: MaskStudentParameters, method: MaskMethod) -> dict[str, float | str]:
    """Collect the settings of the kernel loss that no search draws."""
    if not method.uses_kernel:
        return {}
    batches = {"kernel_batch": parameters.kernel_batch, "kernel_every": parameters.kernel_every}
    return {**batches, "form": method.form}


def _teacher_inputs(parameters: MaskStudentParameters, data: Data, method: MaskMethod) -> dict[str, Any]:
    if method.uses_kernel:
        summary = masks.LogitSummary(method.summary, parameters.kernel_outputs, TEACHER_SEED)
        return {"summary": summary, "kernel": tangent_cell(parameters, data, summary)}
    return {"logits": logits_cell(parameters, data)} if method.loss == "dense_soft_labels" else {}


def _limit_steps(steps: int, data: Data) -> int:
    return steps if data.kind == "real" else min(steps, STANDIN_STEPS)
