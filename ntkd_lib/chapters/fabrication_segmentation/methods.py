"""The ways to recover that the recorded run compares, and the devices that it makes."""

from collections.abc import Mapping
from dataclasses import dataclass

SEEDS = (0, 1, 2, 3, 4)
RATES = (1.5e-3, 4.5e-3, 1.35e-2)  # tried by every way to recover, on a device that is not reported
TUNED = (0, 1)  # seed and number of that device; devices that are reported have number 0
DESIGNED, NONE, CLEAN = "designed", "uncompensated", "clean_ft"


@dataclass(frozen=True)
class Way:
    """One way to recover.

    Attributes:
        label: What tables call it.
        objective: Module of ``ntkd_lib.distill`` whose ``build`` makes the loss.
        settings_of: The student of notebook 02 whose weight decay and loss settings it takes; ``ntkd`` is
            the chosen form.
        rate_of: The way whose search gives its learning rate.
    """

    label: str
    objective: str
    settings_of: str
    rate_of: str


WAYS: Mapping[str, Way] = {
    "e2e_ft": Way("labels (end to end)", "dense_labels", "none", "e2e_ft"),
    "kd_ft": Way("soft-label KD", "dense_soft_labels", "kd", "kd_ft"),
    "ntkd_ft": Way("NTKD", "dense_tangent", "ntkd", "ntkd_ft"),
    CLEAN: Way("labels, no errors (control)", "dense_labels", "none", "e2e_ft"),
}
