"""Students of classifiers behind optics, the students of digits, and settings from recorded searches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from ntkd_lib.lab.search import (
    Range,
    SearchedMethod,
    at_speed_of,
    best_of,
    by_name,
    draw,
    mean_validation,
    read_search,
    settings_text,
)
from ntkd_lib.lab.seeds import derive_seed

if TYPE_CHECKING:
    import pandas as pd

POINTS = 8  # of a method's sequence
SPEED: Mapping[str, Range] = {"lr": (5e-4, 2e-2, "log"), "weight_decay": (1e-5, 1e-1, "log")}
SINGLE: Mapping[str, Range] = {"lr": (2e-3, 2e-1, "log")}  # one dense layer takes longer steps
SOFT: Mapping[str, Range] = {"temperature": (1.0, 20.0, "log"), "weight": (0.1, 1.0, "linear")}
TANGENT: Mapping[str, Range] = {"weight": (1e-3, 1e1, "log")}
SHIFT: Mapping[str, Range] = {"shift": (0.0, 2.99, "linear")}
FORMS = ("ntkd_raw", "ntkd_normalised", "ntkd_cosine")


@dataclass(frozen=True)
class Method(SearchedMethod):
    """One student of images or masks: its parts, and its training."""

    objective: str = "labels"  # a key of OBJECTIVES, or of the losses for masks
    optics: Literal["signed", "random", "random-positive", "random-centred", "lens"] = "signed"
    rectified: Literal["both", "capture", "hidden", "none"] = "both"
    hidden: tuple[int, ...] = (32,)  # widths of the hidden dense layers
    teacher: Literal["trained", "untrained", "strong"] | None = None
    settings_of: str = ""  # student whose search sets its settings, if it has none of its own
    length: Literal["usual", "long", "single"] = "usual"  # single: one dense layer is slow to reach a plateau
    every_seed: bool = False  # of the main comparison; a control runs for the seeds of controls
    form: str = ""  # of a kernel loss for masks
    summary: str = ""  # of the logits of a mask, for kernels

    @property
    def source(self) -> str:
        """Name of the student whose search sets its settings."""
        return self.settings_of or self.name

    @property
    def uses_kernel(self) -> bool:
        """Whether its objective uses the teacher's tangent kernel."""
        return "tangent" in self.objective


@dataclass(frozen=True)
class Comparison:
    """Students of one kind of images or masks, with the settings that a recorded search chose."""

    methods: Mapping[str, Method]
    search: str
    leaders: Mapping[str, str]  # student whose learning rate and weight decay a compared student shares
    forms: tuple[str, ...] = ()  # students that differ in the form of the kernel loss

    def method(self, name: str) -> Method:
        """Look up a student; `ntkd` is the chosen form of the kernel loss, if there are several."""
        return self.methods[self.chosen_form() if self.forms and name == "ntkd" else name]

    def trials(self) -> list[dict[str, Any]]:
        """Read the trials of the recorded search."""
        return read_search(self.search)["trials"]

    def best_trial(self, name: str) -> dict[str, Any]:
        """Return the trial of a student, or of the one that it follows, with the highest validation score."""
        return best_of(self.trials(), self.methods[name].source)

    def settings(self, name: str) -> dict[str, float]:
        """Return the settings of a student's best trial, at the speed of the students compared with it."""
        own, leader = self.best_trial(name)["settings"], self.leaders.get(self.methods[name].source)
        return at_speed_of(own, self.best_trial(leader)["settings"]) if leader else own

    def chosen_form(self) -> str:
        """Select the kernel loss that is best on validation data: the student called "NTKD"."""
        return max(self.forms, key=lambda form: mean_validation(self.best_trial(form)))

    def trial_table(self) -> pd.DataFrame:
        """List the trials of the recorded search."""
        import pandas as pd

        return pd.DataFrame(
            {
                "method": trial["method"],
                "label": self.methods[trial["method"]].label,
                "settings": settings_text(_whole(trial["settings"])),
                "trained": settings_text(_whole(self.settings(trial["method"]))),
                "validation": mean_validation(trial),
                "chosen": trial["settings"] == self.best_trial(trial["method"])["settings"],
            }
            for trial in self.trials()
        )


def _whole(settings: Mapping[str, float]) -> dict[str, float]:
    """Write a drawn shift as it is trained, in whole pixels."""
    return {name: int(value) if name in SHIFT else value for name, value in settings.items()}


_soft = partial(Method, space={**SPEED, **SOFT}, objective="soft_labels", teacher="trained")
_tangent = partial(Method, space={**SPEED, **TANGENT}, teacher="trained")
_single = partial(Method, space={**SPEED, **SINGLE}, hidden=(), length="single")
DIGITS = Comparison(
    by_name(
        Method("none", "labels only", SPEED, every_seed=True),
        _soft("kd", "soft-label KD", every_seed=True),
        _tangent("ntkd_raw", "NTKD, raw", objective="tangent_raw"),
        _tangent("ntkd_normalised", "NTKD, trace-normalised", objective="tangent_normalised"),
        _tangent("ntkd_cosine", "NTKD, centred cosine", objective="tangent_cosine"),
        _tangent("ntkd_sap", "NTKD, NTK-SAP trace", objective="tangent_sap"),
        _tangent("ntkd_trace_only", "trace only (control)", objective="tangent_trace"),
        Method("random_frozen", "random signed filters", optics="random", settings_of="none"),
        Method("none_tuned", "labels only, trained longer", {**SPEED, **SHIFT}, length="long"),
        Method("linear", "no ReLU", SPEED, rectified="none"),
        Method("lens", "ideal lens", SPEED, optics="lens"),
        Method("none_capture", "ReLU after capture only", SPEED, rectified="capture"),
        Method("none_hidden", "ReLU between dense layers only", SPEED, rectified="hidden"),
        _soft("kd_hidden", "soft-label KD, hidden ReLU only", rectified="hidden"),
        _tangent("ntkd_hidden", "NTKD, hidden ReLU only", objective="tangent_cosine", rectified="hidden"),
        _single("f8", "8 random PSFs, one dense layer", optics="random-positive"),
        _single(
            "f8_centred", "8 random PSFs, captures centred", optics="random-centred", rectified="capture"
        ),
    ),
    search="01_ntkd_classification",
    leaders={
        **dict.fromkeys(("kd", *FORMS, "ntkd_sap", "ntkd_trace_only"), "none"),
        **dict.fromkeys(("kd_hidden", "ntkd_hidden"), "none_hidden"),
    },
    forms=FORMS,
)
UNTRAINED = "ntkd_untrained_teacher"


def digit_method(name: str) -> Method:
    """Look up a student of digits: `ntkd` is the chosen form, and its control has an untrained teacher."""
    if name != UNTRAINED:
        return DIGITS.method(name)
    form, label = DIGITS.method("ntkd"), "NTKD, untrained teacher (control)"
    return Method(UNTRAINED, label, objective=form.objective, teacher="untrained", settings_of=form.name)


def draw_settings(method: Method, trial: int) -> dict[str, float]:
    """Draw the settings of a trial on digits: a point of the method's own sequence."""
    return draw(method.space, derive_seed("search", method.name), trial, points=POINTS)
