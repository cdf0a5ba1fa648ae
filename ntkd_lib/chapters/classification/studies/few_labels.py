"""Few labels at matched settings: trials on tuning seeds, the choice that code reads off them, and its arms.

All arms of a seed share split, labels, start, order of batches, learning rate, weight decay and length. The
last three are those of the labels arm's best trial. Test images are not read by a trial.
"""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from ntkd_lib.chapters.classification import NOTEBOOK
from ntkd_lib.chapters.classification.parameters import ClassificationParameters
from ntkd_lib.chapters.optical_students.classification import student
from ntkd_lib.chapters.optical_students.classification_cells import digit_common
from ntkd_lib.chapters.optical_students.classification_setting import Hybrid
from ntkd_lib.distill.training import Schedule
from ntkd_lib.lab.cells import Cell
from ntkd_lib.lab.parameters import load_parameters
from ntkd_lib.lab.protocols import Arm, value_of
from ntkd_lib.lab.work import Data

Settings = Mapping[str, Any]


def trials(axes: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """List all combinations of settings, the last axis fastest."""
    return [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]


def trial_name(arm: str, settings: Settings) -> str:
    """Name the metric of a trial.

    >>> trial_name("ntkd", {"form": "raw", "weight": 0.1})
    'ntkd.mnist.labels1_tuning.ntkd.form_raw.weight_0.1.validation'
    """
    words = ".".join(f"{name}_{value}" for name, value in settings.items())
    return f"ntkd.mnist.labels1_tuning.{arm}.{words}.validation"


def few_student(
    parameters: Settings, data: Data, seed: int, arm: str, point: Settings, *, tested: bool
) -> Cell:
    """Describe a student of an arm at the common learning rate, weight decay and length."""
    run = load_parameters(ClassificationParameters, NOTEBOOK, "cpu", parameters["run"])
    speed = {name: point[name] for name in ("lr", "weight_decay")}
    often = parameters["evaluations"] // point["epochs"]
    return student.cell(
        {"method": arm, "question": "few labels"},
        **digit_common(run, data, seed),
        parts=Hybrid(),
        objective="labels",
        schedule=Schedule(point["epochs"], run.batch, **speed, evaluations=often),
        settings={},
        label_share=parameters["labels"],
        tested=tested,
    )


def point_arms(parameters: Settings, seed: int, sha256: str) -> dict[str, Arm]:
    """Train labels alone over learning rates, weight decays and lengths."""
    data = Data("mnist", sha256)
    return {
        trial_name("none", point): Arm(
            (few_student(parameters, data, seed, "none", point, tested=False),), value_of("validation")
        )
        for point in trials(parameters["trials"]["none"])
    }
