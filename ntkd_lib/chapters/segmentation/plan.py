"""The plan of notebook 02: every student for every seed, a few trained on drawings, and the search."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from ntkd_lib.chapters.optical_students.classification_methods import Method
from ntkd_lib.chapters.optical_students.mask_methods import FORMS, MASKS, METHODS, student_cell, teacher_cell
from ntkd_lib.chapters.segmentation import NOTEBOOK
from ntkd_lib.chapters.segmentation.parameters import SegmentationParameters
from ntkd_lib.chapters.segmentation.studies import matched
from ntkd_lib.lab import Cell, Data, ParameterError, RunCells, Search, derive_seed, draw, run_trials, spaces
from ntkd_lib.lab.protocols import Protocol

ALWAYS_SHOWN = ("ntkd_raw", "ntkd_normalised", "ntkd_projected")  # forms shown even if not chosen
PANEL_METHODS = ("none", "kd", "ntkd")
# Training of the networks of the panels: enough to draw a car.
PANELS: Mapping[str, Any] = {
    "steps": 240,
    "teacher_steps": 96,
    "batch": 4,
    "kernel_batch": 4,
    "kernel_every": 48,
    "kernel_images": 8,
    "kernel_outputs": 2,
    "landmarks": 4,
    "device": "cpu",
}
TRIALS, TUNING_SEEDS = 4, (1000,)
PARTS = ("tuning", "tuning of transfers")  # of the trials of matched masks
# Half of the compared training, for the search must fit two cores, with the teacher of tier cpu.
TUNING = SegmentationParameters(steps=200)


def plan(parameters: SegmentationParameters, data: Mapping[str, Data]) -> list[Cell]:
    """List the cells of a run."""
    if parameters.kernel_batch > parameters.kernel_images:
        came = f"{parameters.kernel_batch} is more than kernel_images = {parameters.kernel_images}"
        raise ParameterError(f"{NOTEBOOK}: kernel_batch = {came}; allowed: at most kernel_images")
    cars = data[parameters.data]
    students = [
        student_cell(parameters, cars, method, seed, MASKS.settings(method.source))
        for method in compared_methods()
        for seed in parameters.all_seeds
    ]
    return [teacher_cell(parameters, cars), *students, *_panels(parameters, data)]


def compared_methods() -> list[Method]:
    """List the students of a run; of the kernel losses, those always shown and the chosen one."""
    shown = {*ALWAYS_SHOWN, MASKS.chosen_form()}
    return [method for name, method in METHODS.items() if name not in FORMS or name in shown]


def _panels(parameters: SegmentationParameters, data: Mapping[str, Data]) -> list[Cell]:
    if parameters.shown_data == parameters.data:
        return []
    budget = parameters.model_copy(update=dict(PANELS))
    drawings = replace(data[parameters.shown_data], evidence=False)
    methods = [MASKS.method(name) for name in PANEL_METHODS]
    return [student_cell(budget, drawings, m, 0, MASKS.settings(m.source)) for m in methods]


def draw_settings(method: Method, trial: int) -> dict[str, float]:
    """Draw the settings of a trial: a point of a scrambled Sobol sequence, which covers a space evenly."""
    return draw(method.space, derive_seed("masks", method.name), trial, points=TRIALS)


def conduct(data: Mapping[str, Data], run: RunCells) -> dict[str, Any]:
    """Run the trials of every method that has a space."""
    cell = partial(student_cell, TUNING, data[TUNING.data], tested=False)
    return {
        "budget": {"trials": TRIALS, "seeds": list(TUNING_SEEDS), "steps": TUNING.steps},
        "parameters": TUNING.model_dump(mode="json"),
        "space": spaces(METHODS.values()),
        "trials": run_trials(METHODS.values(), TRIALS, TUNING_SEEDS, draw_settings, cell, run),
    }


PROTOCOLS = (
    *(Protocol(f"matched masks {part}", NOTEBOOK, "carvana", matched.tuning_arms) for part in PARTS),
    Protocol("matched masks", NOTEBOOK, "carvana", matched.confirmed_arms),
)
SEARCHES = (Search(NOTEBOOK, (TUNING.data,), conduct),)
