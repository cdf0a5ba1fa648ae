"""The ways to recover from fabrication errors, and what each one's search draws from."""

from collections.abc import Mapping

from ntkd_lib.chapters.optical_students.classification_methods import SOFT, TANGENT, Method
from ntkd_lib.lab.search import Range

SPEED: Mapping[str, Range] = {"lr": (2e-4, 2e-2, "log"), "weight_decay": (1e-5, 1e-1, "log")}
GAINS: Mapping[str, Range] = {"lr": (1e-3, 2e-1, "log")}
FORMS = ("ntkd_raw_ft", "ntkd_normalised_ft", "ntkd_cosine_ft")
# Compared ways to recover train at one learning rate and weight decay: those of labels.
SPEED_OF: Mapping[str, str] = dict.fromkeys(("kd_ft", *FORMS), "e2e_ft")
CALIBRATION, CLEAN = "calibration", "clean_ft"


def _back_end(name: str, label: str, objective: str, extra: Mapping[str, Range] | None = None) -> Method:
    space = {**SPEED, **(extra or {})}
    return Method(name, label, objective=objective, space=space, settings_of=name)


METHODS: Mapping[str, Method] = {
    method.name: method
    for method in (
        _back_end("e2e_ft", "labels (end to end)", "labels"),
        _back_end("kd_ft", "soft-label KD", "soft_labels", SOFT),
        _back_end("ntkd_raw_ft", "NTKD, raw", "tangent_raw", TANGENT),
        _back_end("ntkd_normalised_ft", "NTKD, trace-normalised", "tangent_normalised", TANGENT),
        _back_end("ntkd_cosine_ft", "NTKD, centred cosine", "tangent_cosine", TANGENT),
        Method(CALIBRATION, "gain a capture only", space=GAINS, settings_of=CALIBRATION),
        Method(CLEAN, "labels, no errors (control)", settings_of="e2e_ft"),
    )
}
