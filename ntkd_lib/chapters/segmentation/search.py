"""The search for every method's settings: the same number of trials for each, on validation cars."""

from collections.abc import Mapping
from typing import Any

from ntkd_lib.chapters.optical_students.mask_methods import METHODS, MaskMethod, student_cell
from ntkd_lib.chapters.segmentation import NOTEBOOK
from ntkd_lib.chapters.segmentation.parameters import SegmentationParameters
from ntkd_lib.lab.cells import Cell
from ntkd_lib.lab.search import RunCells, Search, draw, run_trials, spaces
from ntkd_lib.lab.seeds import derive_seed
from ntkd_lib.lab.work import Data

TRIALS = 4
TUNING_SEEDS = (1000,)
STEPS = 200  # half of the compared training: the search must fit two cores
PARAMETERS = SegmentationParameters(steps=STEPS)  # short training, with the teacher of tier cpu


def draw_settings(method: MaskMethod, trial: int) -> dict[str, float]:
    """Draw the settings of a trial: a point of a scrambled Sobol sequence, which covers a space evenly."""
    return draw(method.space, derive_seed("masks", method.name), trial, points=TRIALS)


def conduct(data: Mapping[str, Data], run: RunCells) -> dict[str, Any]:
    """Run the trials of every method that has a space."""

    def cell(method: MaskMethod, seed: int, settings: Mapping[str, float]) -> Cell:
        return student_cell(PARAMETERS, data[PARAMETERS.data], method, seed, settings, tested=False)

    return {
        "budget": {"trials": TRIALS, "seeds": list(TUNING_SEEDS), "steps": STEPS},
        "parameters": PARAMETERS.model_dump(mode="json"),
        "space": spaces(METHODS.values()),
        "trials": run_trials(METHODS.values(), TRIALS, TUNING_SEEDS, draw_settings, cell, run),
    }


SEARCHES = (Search(NOTEBOOK, (PARAMETERS.data,), conduct),)
