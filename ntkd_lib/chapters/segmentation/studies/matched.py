"""Masks at matched settings: trials on tuning seeds, and the chosen arms on fresh seeds.

All arms of a seed share start, order of batches, learning rate, weight decay and steps; the rate and the
decay are those of the best trial of masks alone. Soft labels and kernel losses then have as many trials of
their own. No trial reads a test car.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from ntkd_lib.chapters.optical_students.mask_methods import METHODS, student_cell
from ntkd_lib.chapters.segmentation import NOTEBOOK
from ntkd_lib.chapters.segmentation.parameters import SegmentationParameters
from ntkd_lib.lab import Arm, Cell, Data, load_parameters
from ntkd_lib.lab.protocols import value_of
from ntkd_lib.lab.trials import choose, trial_arms
from ntkd_lib.show import Contest, contest

SPACE, METRIC = "ntkd.carvana.matched_tuning", "ntkd.carvana.matched.{}.miou"  # of trials, of an arm
LABELS = {"none": "masks only", "kd": "soft-label KD", "ntkd": "NTKD"}


def _student(
    parameters: Mapping[str, Any], seed: int, sha256: str, arm: str, own: Mapping[str, Any], *, tested: bool
) -> Cell:
    """Describe a student at the common point; `form` names the kernel loss of NTKD."""
    point = choose(parameters["point"], SPACE, "none") if "point" in parameters else {}
    settings = {**point, **own}
    run = load_parameters(SegmentationParameters, NOTEBOOK, "cpu", parameters["run"])
    method = METHODS[f"ntkd_{settings.pop('form')}" if arm == "ntkd" else arm]
    return student_cell(run, Data(run.data, sha256), method, seed, settings, tested=tested)


def tuning_arms(parameters: Mapping[str, Any], seed: int, sha256: str) -> dict[str, Arm]:
    """Train the trials of arms at the point of masks alone, or those that choose it."""
    return trial_arms(SPACE, parameters["trials"], partial(_student, parameters, seed, sha256, tested=False))


def confirmed_arms(parameters: Mapping[str, Any], seed: int, sha256: str) -> dict[str, Arm]:
    """Train and test every arm at its chosen settings; `arms` names the protocols of each arm's trials."""
    train = partial(_student, parameters, seed, sha256, tested=True)
    chosen = {arm: choose(protocols, SPACE, arm) for arm, protocols in parameters["arms"].items()}
    return {METRIC.format(arm): Arm((train(arm, own),), value_of("miou")) for arm, own in chosen.items()}


CONTEST = Contest(SPACE, LABELS, ["matched masks"], METRIC, base="none")
PAIRS = (("ntkd", "kd"), ("ntkd", "none"), ("kd", "none"))
TRIALS = contest.trial_columns("Student", "Validation", "%")
SCORES = contest.score_columns("Student", "masks only", "%")
