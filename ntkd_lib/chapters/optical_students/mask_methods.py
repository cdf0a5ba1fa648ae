"""Compared students for masks, the settings that the recorded search chose, and their cells."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from ntkd_lib.chapters.optical_students import masks
from ntkd_lib.chapters.optical_students.classification_methods import Comparison, Method
from ntkd_lib.chapters.optical_students.mask_parameters import MaskStudentParameters
from ntkd_lib.lab import Cell, Data, Range, by_name

NOTEBOOK = "02_ntkd_segmentation"  # its recorded search sets all settings
TEACHER_SEED, TEACHER_BATCH = 0, 8
STANDIN_STEPS = 240  # drawings are few; more steps would only overfit

SPEED: Mapping[str, Range] = {"lr": (1.5e-3, 1e-2, "log"), "weight_decay": (1e-5, 1e-1, "log")}
SINGLE: Mapping[str, Range] = {"lr": (2e-3, 2e-1, "log")}  # one layer takes longer steps
SOFT: Mapping[str, Range] = {"temperature": (1.0, 8.0, "log"), "weight": (0.1, 1.0, "linear")}
TANGENT: Mapping[str, Range] = {"weight": (1e-4, 1e0, "log")}
FORMS = ("ntkd_raw", "ntkd_normalised", "ntkd_cosine", "ntkd_projected")

_labels = partial(Method, objective="dense_labels")
_tangent = partial(Method, space={**SPEED, **TANGENT}, objective="dense_tangent")
METHODS: Mapping[str, Method] = by_name(
    _labels("none", "masks only", SPEED),
    Method("kd", "soft-label KD", {**SPEED, **SOFT}, objective="dense_soft_labels"),
    _tangent("ntkd_raw", "NTKD, pooled, raw", form="raw", summary="pooled"),
    _tangent("ntkd_normalised", "NTKD, pooled, trace-normalised", form="normalised", summary="pooled"),
    _tangent("ntkd_cosine", "NTKD, pooled, centred cosine", form="cosine", summary="pooled"),
    _tangent("ntkd_projected", "NTKD, projected, trace-normalised", form="normalised", summary="projected"),
    _labels("none_long", "masks only, equal time", settings_of="none", length="long"),
    _labels("random_frozen", "random signed filters", optics="random", settings_of="none"),
    _labels("lens", "ideal lens", SPEED, optics="lens"),
    _labels("f8", "8 random PSFs, one up-sampling layer", SINGLE, optics="random-positive"),
    _labels("many", "many random PSFs, one up-sampling layer", optics="random-positive", settings_of="f8"),
)
# compared students share the learning rate and weight decay of masks alone
MASKS = Comparison(METHODS, NOTEBOOK, leaders=dict.fromkeys(("kd", *FORMS), "none"), forms=FORMS)


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
    method: Method,
    seed: int,
    settings: Mapping[str, float],
    *,
    tested: bool = True,
) -> Cell:
    """Describe the training of one student."""
    steps = parameters.long_steps if method.length == "long" else parameters.steps
    kernel = {"kernel_batch": parameters.kernel_batch, "kernel_every": parameters.kernel_every}
    fixed = {**kernel, "form": method.form} if method.uses_kernel else {}
    return masks.student.cell(
        {"method": method.name},
        data=data,
        seed=seed,
        steps=_limit_steps(steps, data),
        batch=parameters.batch,
        settings={**settings, **fixed},
        loss=method.objective,
        optics=method.optics,
        filters=parameters.many if method.name == "many" else 8,
        tested=tested,
        device=parameters.device,
        **_teacher_inputs(parameters, data, method),
    )


def _teacher_inputs(parameters: MaskStudentParameters, data: Data, method: Method) -> dict[str, Any]:
    if method.uses_kernel:
        summary = masks.LogitSummary(method.summary, parameters.kernel_outputs, TEACHER_SEED)
        return {"summary": summary, "kernel": tangent_cell(parameters, data, summary)}
    return {"logits": logits_cell(parameters, data)} if method.objective == "dense_soft_labels" else {}


def _limit_steps(steps: int, data: Data) -> int:
    return steps if data.kind == "real" else min(steps, STANDIN_STEPS)
