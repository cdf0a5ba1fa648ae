"""The students that notebook 01 compares: optics, back end, objective, teacher and tuned space."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ntkd_lib.lab.search import Range

SPEED: Mapping[str, Range] = {"lr": (5e-4, 2e-2, "log"), "weight_decay": (1e-5, 1e-1, "log")}
SINGLE: Mapping[str, Range] = {"lr": (2e-3, 2e-1, "log")}  # one dense layer takes longer steps
SOFT: Mapping[str, Range] = {"temperature": (1.0, 20.0, "log"), "weight": (0.1, 1.0, "linear")}
TANGENT: Mapping[str, Range] = {"weight": (1e-3, 1e1, "log")}
SHIFT: Mapping[str, Range] = {"shift": (0.0, 2.99, "linear")}
FORMS = ("ntkd_raw", "ntkd_normalised", "ntkd_cosine")
# Compared students train at one learning rate and weight decay: those of labels alone.
SPEED_OF: Mapping[str, str] = {
    **dict.fromkeys(("kd", *FORMS, "ntkd_sap", "ntkd_trace_only"), "none"),
    **dict.fromkeys(("kd_hidden", "ntkd_hidden"), "none_hidden"),
}


@dataclass(frozen=True)
class Method:
    """One student.

    Attributes:
        name: Short name, used in metrics and cells.
        label: What tables and figures call it.
        objective: Module of ``ntkd_lib.distill`` whose ``build`` makes the loss.
        optics: Front end, as ``mnist_student`` names it.
        rectified: Where ReLUs stand, as ``mnist_student`` names it.
        hidden: Widths of the hidden dense layers.
        teacher: Which teacher it hears, if any.
        space: What its search draws from; empty where it takes another method's settings.
        settings_of: The method whose settings it takes; itself where it has a space.
        length: How long it trains: longer for the equal-time control, and for students
            of one dense layer, which are quick to train and slow to reach a plateau.
        every_seed: Whether it is of the main comparison, which runs for all seeds; otherwise it is a control
            and runs for theirs. The form that stands for NTKD always runs for all.
    """

    name: str
    label: str
    objective: str = "labels"
    optics: str = "signed"
    rectified: str = "both"
    hidden: tuple[int, ...] = (32,)
    teacher: Literal["trained", "untrained", "strong"] | None = None
    space: Mapping[str, Range] | None = None
    settings_of: str = ""
    length: Literal["usual", "long", "single"] = "usual"
    every_seed: bool = False

    @property
    def hears_kernel(self) -> bool:
        """Whether its objective uses the teacher's tangent kernel."""
        return self.objective.startswith("tangent")


def _tuned(name: str, label: str, extra: Mapping[str, Range] | None = None, **fields: object) -> Method:
    return Method(name, label, space={**SPEED, **(extra or {})}, settings_of=name, **fields)


def _tangent(name: str, label: str, objective: str, **fields: object) -> Method:
    return _tuned(name, label, TANGENT, objective=objective, teacher="trained", **fields)


def _like(name: str, label: str, other: str, **fields: object) -> Method:
    return Method(name, label, settings_of=other, **fields)


METHODS: Mapping[str, Method] = {
    method.name: method
    for method in (
        _tuned("none", "labels only", every_seed=True),
        _tuned("kd", "soft-label KD", SOFT, objective="soft_labels", teacher="trained", every_seed=True),
        _tangent("ntkd_raw", "NTKD, raw", "tangent_raw"),
        _tangent("ntkd_normalised", "NTKD, trace-normalised", "tangent_normalised"),
        _tangent("ntkd_cosine", "NTKD, centred cosine", "tangent_cosine"),
        _tangent("ntkd_sap", "NTKD, NTK-SAP trace", "tangent_sap"),
        _tangent("ntkd_trace_only", "trace only (control)", "tangent_trace"),
        _like("random_frozen", "random signed filters", "none", optics="random"),
        _tuned("none_tuned", "labels only, equal time, augmented", SHIFT, length="long"),
        _tuned("linear", "no ReLU", rectified="none"),
        _tuned("lens", "ideal lens", optics="lens"),
        _tuned("none_capture", "ReLU after capture only", rectified="capture"),
        _tuned("none_hidden", "ReLU between dense layers only", rectified="hidden"),
        _tuned(
            "kd_hidden",
            "soft-label KD, hidden ReLU only",
            SOFT,
            objective="soft_labels",
            teacher="trained",
            rectified="hidden",
        ),
        _tangent(
            "ntkd_hidden",
            "NTKD, hidden ReLU only",
            "tangent_cosine",
            rectified="hidden",
        ),
        _tuned(
            "f8",
            "8 random PSFs, one dense layer",
            SINGLE,
            optics="random-positive",
            hidden=(),
            length="single",
        ),
        _tuned(
            "f8_centred",
            "8 random PSFs, captures centred",
            SINGLE,
            optics="random-centred",
            rectified="capture",
            hidden=(),
            length="single",
        ),
    )
}
