"""The plan of notebook 02: every student for every seed, and a few trained on drawings, for the panels."""

from pathlib import Path
from typing import Any

from ntkd_lib.chapters.ntkd_segmentation import NOTEBOOK
from ntkd_lib.chapters.ntkd_segmentation.cells import CellMaker
from ntkd_lib.chapters.ntkd_segmentation.methods import ALWAYS, FORMS, METHODS, Method
from ntkd_lib.chapters.ntkd_segmentation.parameters import SegmentationParameters
from ntkd_lib.chapters.ntkd_segmentation.settings import chosen_form, training_settings
from ntkd_lib.chapters.plans import with_needs
from ntkd_lib.data.catalogue import find_dataset
from ntkd_lib.data.mask_arrays import prepare_arrays
from ntkd_lib.data.registry import DataLocation, locate
from ntkd_lib.data.settings import read_settings
from ntkd_lib.lab.cells import Cell
from ntkd_lib.lab.parameters import ParameterError

DRAWN = "drawn-cars"
SHOWN = ("none", "kd", "ntkd")
# What the networks of the panels are trained with: enough to draw a car.
PANELS: dict[str, Any] = {
    "data": DRAWN,
    "seeds": [0],
    "seed": None,
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


def plan(parameters: SegmentationParameters) -> list[Cell]:
    """List the cells of a run; the teacher comes with the students that hear it.

    The user's own photographs are checked and decoded here, before any work starts.
    """
    if parameters.kernel_batch > parameters.kernel_images:
        raise ParameterError(
            f"{NOTEBOOK}: kernel_batch = {parameters.kernel_batch} is more than "
            f"kernel_images = {parameters.kernel_images}; allowed: at most kernel_images"
        )
    located = locate(parameters.data)
    if located.kind == "real":
        _prepare(located)
    maker = CellMaker(parameters, located.sha256, real=located.kind == "real")
    students = [
        maker.student(method, seed, training_settings(method.settings_of))
        for method in compared_methods()
        for seed in parameters.all_seeds
    ]
    return with_needs([maker.teacher(), *students, *_panels(parameters)])


def compared_methods() -> list[Method]:
    """List the students of a run; of the forms of the kernel loss those always shown and the chosen one."""
    kept = {*ALWAYS, chosen_form()}
    return [method for name, method in METHODS.items() if name not in FORMS or name in kept]


def _prepare(located: DataLocation) -> None:
    dataset = find_dataset(located.name)
    prepare_arrays(dataset, Path(located.path or ""), located.sha256, read_settings().cache_root)


def _panels(parameters: SegmentationParameters) -> list[Cell]:
    if parameters.data == DRAWN or parameters.show_images:
        return []
    drawn = parameters.model_copy(update=PANELS)
    maker = CellMaker(drawn, locate(DRAWN).sha256, real=False, declared=False)
    methods = [METHODS[chosen_form() if name == "ntkd" else name] for name in SHOWN]
    return [maker.student(m, 0, training_settings(m.settings_of)) for m in methods]
