"""The recorded protocols of notebook 03: devices for photographs of cars."""

from collections.abc import Callable, Mapping
from typing import Any

from ntkd_lib.chapters.fabrication_recovery import NOTEBOOK
from ntkd_lib.chapters.fabrication_segmentation.cells import DeviceMaker
from ntkd_lib.chapters.fabrication_segmentation.methods import DESIGNED, NONE
from ntkd_lib.chapters.fabrication_segmentation.recorded import (
    IDEAL,
    metric_name,
    students_parameters,
)
from ntkd_lib.lab.cells import Record
from ntkd_lib.lab.protocols import Arm, Protocol, value_of
from ntkd_lib.lab.work import Data


def photograph_arms(parameters: Mapping[str, Any], seed: int, sha256: str) -> dict[str, Arm]:
    """Make one device per student, recover in every way, and score each on test cars."""
    maker = DeviceMaker(students_parameters(), Data("carvana", sha256))
    device = maker.device(seed, 0, parameters["rates"])
    names = (DESIGNED, NONE, *parameters["rates"])
    rows = {row: Arm((device,), _recovered(row, "miou"), _recovered(row, "converged")) for row in names}
    ideal = Arm((maker.student(seed),), value_of("miou"))
    return {metric_name(row): arm for row, arm in {IDEAL: ideal, **rows}.items()}


def _recovered(row: str, value: str) -> Callable[[Record], Any]:
    return lambda record: record.values["recoveries"][row].get(value)


PROTOCOLS = (Protocol("photographs", NOTEBOOK, "carvana", photograph_arms, NOTEBOOK),)
