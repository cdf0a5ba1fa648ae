"""The students that notebook 02 compares: optics, objective, what stands for dense logits, tuned space."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ntkd_lib.lab.search import Range

SPEED: Mapping[str, Range] = {"lr": (1.5e-3, 1e-2, "log"), "weight_decay": (1e-5, 1e-1, "log")}
SINGLE: Mapping[str, Range] = {"lr": (2e-3, 2e-1, "log")}  # one layer takes longer steps
SOFT: Mapping[str, Range] = {"temperature": (1.0, 8.0, "log"), "weight": (0.1, 1.0, "linear")}
TANGENT: Mapping[str, Range] = {"weight": (1e-4, 1e0, "log")}
FORMS = ("ntkd_raw", "ntkd_normalised", "ntkd_cosine", "ntkd_projected")
# Compared students train at one learning rate and weight decay: those of masks alone.
SPEED_OF: Mapping[str, str] = dict.fromkeys(("kd", *FORMS), "none")
ALWAYS = ("ntkd_raw", "ntkd_normalised", "ntkd_projected")


@dataclass(frozen=True)
class Method:
    """One student.

    Attributes:
        name: Short name, used in metrics and cells.
        label: What tables and figures call it.
        objective: Module of ``ntkd_lib.distill`` whose ``build`` makes the loss.
        optics: Front end, as ``carvana_student`` names it.
        form: Form of the kernel loss, empty where there is none.
        summary: What stands for dense logits in kernels, empty where there are none.
        space: What its search draws from; empty where it takes another method's settings.
        settings_of: The method whose settings it takes; itself where it has a space.
        length: How long it trains.
    """

    name: str
    label: str
    objective: str = "dense_labels"
    optics: str = "signed"
    form: str = ""
    summary: str = ""
    space: Mapping[str, Range] | None = None
    settings_of: str = ""
    length: Literal["usual", "long"] = "usual"

    @property
    def hears_kernel(self) -> bool:
        """Whether its objective uses the teacher's tangent kernel."""
        return bool(self.summary)


def _tuned(name: str, label: str, space: Mapping[str, Range], **fields: str) -> Method:
    return Method(name, label, space=space, settings_of=name, **fields)


def _tangent(name: str, label: str, form: str, summary: str) -> Method:
    space = {**SPEED, **TANGENT}
    return _tuned(name, label, space, objective="dense_tangent", form=form, summary=summary)


METHODS: Mapping[str, Method] = {
    method.name: method
    for method in (
        _tuned("none", "masks only", SPEED),
        _tuned("kd", "soft-label KD", {**SPEED, **SOFT}, objective="dense_soft_labels"),
        _tangent("ntkd_raw", "NTKD, pooled, raw", "raw", "pooled"),
        _tangent("ntkd_normalised", "NTKD, pooled, trace-normalised", "normalised", "pooled"),
        _tangent("ntkd_cosine", "NTKD, pooled, centred cosine", "cosine", "pooled"),
        _tangent("ntkd_projected", "NTKD, projected, trace-normalised", "normalised", "projected"),
        Method("none_long", "masks only, equal time", settings_of="none", length="long"),
        Method("random_frozen", "random signed filters", optics="random", settings_of="none"),
        _tuned("lens", "ideal lens", SPEED, optics="lens"),
        _tuned("f8", "8 random PSFs, one up-sampling layer", SINGLE, optics="random-positive"),
        Method("many", "many random PSFs, one up-sampling layer", optics="random-positive", settings_of="f8"),
    )
}
