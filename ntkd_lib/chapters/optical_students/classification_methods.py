"""Students of classifiers behind optics, the students of digits, and settings from recorded searches."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ntkd_lib.lab.search import Range, at_speed_of, best_of, draw, mean_validation, read_search
from ntkd_lib.lab.seeds import derive_seed

POINTS = 8  # of a method's sequence
SPEED: Mapping[str, Range] = {"lr": (5e-4, 2e-2, "log"), "weight_decay": (1e-5, 1e-1, "log")}
SINGLE: Mapping[str, Range] = {"lr": (2e-3, 2e-1, "log")}  # one dense layer takes longer steps
SOFT: Mapping[str, Range] = {"temperature": (1.0, 20.0, "log"), "weight": (0.1, 1.0, "linear")}
TANGENT: Mapping[str, Range] = {"weight": (1e-3, 1e1, "log")}
SHIFT: Mapping[str, Range] = {"shift": (0.0, 2.99, "linear")}
FORMS = ("ntkd_raw", "ntkd_normalised", "ntkd_cosine")


@dataclass(frozen=True)
class Method:
    """One student: its name in metrics, its label in tables, its parts, and its training."""

    name: str
    label: str
    objective: str = "labels"  # a key of OBJECTIVES
    optics: Literal["signed", "random", "random-positive", "random-centred", "lens"] = "signed"
    rectified: Literal["both", "capture", "hidden", "none"] = "both"
    hidden: tuple[int, ...] = (32,)  # widths of the hidden dense layers
    teacher: Literal["trained", "untrained", "strong"] | None = None
    space: Mapping[str, Range] | None = None  # of its search, if it has one
    settings_of: str = ""  # student whose search sets its settings
    length: Literal["usual", "long", "single"] = "usual"  # single: one dense layer is slow to reach a plateau
    every_seed: bool = False  # of the main comparison; a control runs for the seeds of controls

    @property
    def uses_kernel(self) -> bool:
        """Whether its objective uses the teacher's tangent kernel."""
        return self.objective.startswith("tangent")


@dataclass(frozen=True)
class Comparison:
    """Students of one kind of images or masks, with the settings that a recorded search chose."""

    methods: Mapping[str, Any]  # with `settings_of`, as `Method` has
    search: str
    leaders: Mapping[str, str]  # student whose learning rate and weight decay a compared student shares

    def trials(self) -> list[dict[str, Any]]:
        """Read the trials of the recorded search."""
        return read_search(self.search)["trials"]

    def best_trial(self, name: str) -> dict[str, Any]:
        """Return the trial of a student, or of the one that it follows, with the highest validation score."""
        return best_of(self.trials(), self.methods[name].settings_of)

    def settings(self, name: str) -> dict[str, float]:
        """Return the settings of a student's best trial, at the speed of the students compared with it."""
        own, leader = self.best_trial(name)["settings"], self.leaders.get(self.methods[name].settings_of)
        return at_speed_of(own, self.best_trial(leader)["settings"]) if leader else own


def tuned(name: str, label: str, space: Mapping[str, Range], **fields: Any) -> Method:
    """Describe a student with its own search."""
    return Method(name, label, space=space, settings_of=name, **fields)


def _tuned_method(name: str, label: str, extra: Mapping[str, Range] | None = None, **fields: Any) -> Method:
    return tuned(name, label, {**SPEED, **(extra or {})}, **fields)


def _soft(name: str, label: str, **fields: Any) -> Method:
    return _tuned_method(name, label, SOFT, objective="soft_labels", teacher="trained", **fields)


def _tangent(name: str, label: str, objective: str, **fields: Any) -> Method:
    return _tuned_method(name, label, TANGENT, objective=objective, teacher="trained", **fields)


def _single(name: str, label: str, optics: str, **fields: Any) -> Method:
    return _tuned_method(name, label, SINGLE, optics=optics, hidden=(), length="single", **fields)


DIGITS = Comparison(
    {
        method.name: method
        for method in (
            _tuned_method("none", "labels only", every_seed=True),
            _soft("kd", "soft-label KD", every_seed=True),
            _tangent("ntkd_raw", "NTKD, raw", "tangent_raw"),
            _tangent("ntkd_normalised", "NTKD, trace-normalised", "tangent_normalised"),
            _tangent("ntkd_cosine", "NTKD, centred cosine", "tangent_cosine"),
            _tangent("ntkd_sap", "NTKD, NTK-SAP trace", "tangent_sap"),
            _tangent("ntkd_trace_only", "trace only (control)", "tangent_trace"),
            Method("random_frozen", "random signed filters", optics="random", settings_of="none"),
            _tuned_method("none_tuned", "labels only, equal time, augmented", SHIFT, length="long"),
            _tuned_method("linear", "no ReLU", rectified="none"),
            _tuned_method("lens", "ideal lens", optics="lens"),
            _tuned_method("none_capture", "ReLU after capture only", rectified="capture"),
            _tuned_method("none_hidden", "ReLU between dense layers only", rectified="hidden"),
            _soft("kd_hidden", "soft-label KD, hidden ReLU only", rectified="hidden"),
            _tangent("ntkd_hidden", "NTKD, hidden ReLU only", "tangent_cosine", rectified="hidden"),
            _single("f8", "8 random PSFs, one dense layer", "random-positive"),
            _single("f8_centred", "8 random PSFs, captures centred", "random-centred", rectified="capture"),
        )
    },
    search="01_ntkd_classification",
    leaders={
        **dict.fromkeys(("kd", *FORMS, "ntkd_sap", "ntkd_trace_only"), "none"),
        **dict.fromkeys(("kd_hidden", "ntkd_hidden"), "none_hidden"),
    },
)
UNTRAINED = "ntkd_untrained_teacher"


def chosen_form() -> str:
    """Select the kernel loss that is best on validation data: the student called "NTKD"."""
    return max(FORMS, key=lambda form: mean_validation(DIGITS.best_trial(form)))


def digit_method(name: str) -> Method:
    """Look up a student of digits: `ntkd` is the chosen form, and its control has an untrained teacher."""
    form = chosen_form()
    if name == UNTRAINED:
        label, objective = "NTKD, untrained teacher (control)", DIGITS.methods[form].objective
        return Method(UNTRAINED, label, objective=objective, teacher="untrained", settings_of=form)
    return DIGITS.methods[form if name == "ntkd" else name]


def draw_settings(method: Method, trial: int) -> dict[str, float]:
    """Draw the settings of a trial on digits: a point of the method's own sequence."""
    return draw(method.space, derive_seed("search", method.name), trial, points=POINTS)
