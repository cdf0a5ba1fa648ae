"""The plan of notebook 08_my_paper: every method for every seed; they differ in the kernel alone."""

from collections.abc import Mapping

from ntkd_lib.chapters._template.methods import METHODS
from ntkd_lib.chapters._template.parameters import DigitsParameters
from ntkd_lib.chapters._template.work import regression
from ntkd_lib.lab import Cell, Data


def plan(parameters: DigitsParameters, data: Mapping[str, Data]) -> list[Cell]:
    """List the cells of a run; the digits are part of a package, so that no data set is located."""
    del data
    shared = {"train": parameters.train, "width": parameters.width, "ridge": parameters.ridge}
    return [
        regression.cell(seed=seed, method=method, **shared)
        for method in METHODS
        for seed in parameters.all_seeds
    ]
