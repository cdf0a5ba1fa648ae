"""The plan of notebook 01: every student for every seed, with the settings that the recorded search chose."""

from ntkd_lib.chapters.ntkd_classification.cells import CellMaker, untrained_twin
from ntkd_lib.chapters.ntkd_classification.methods import METHODS, Method
from ntkd_lib.chapters.ntkd_classification.parameters import ClassificationParameters
from ntkd_lib.chapters.ntkd_classification.settings import chosen_form, training_settings
from ntkd_lib.chapters.ntkd_colour.plan import colour_plan
from ntkd_lib.chapters.ntkd_controls.plan import controls_plan
from ntkd_lib.chapters.plans import with_needs
from ntkd_lib.data.registry import locate
from ntkd_lib.lab.cells import Cell
from ntkd_lib.lab.parameters import ParameterError


def plan(parameters: ClassificationParameters) -> list[Cell]:
    """List the cells of a run; teachers come with the students that hear them."""
    strange = sorted(set(parameters.some_seeds) - set(parameters.all_seeds))
    if strange:
        raise ParameterError(
            f"01_ntkd_classification: control_seeds has {strange[0]}, allowed: some of seeds = "
            f"{parameters.all_seeds}"
        )
    if parameters.kernel_batch > parameters.kernel_images:
        raise ParameterError(
            f"01_ntkd_classification: kernel_batch = {parameters.kernel_batch} is more than "
            f"kernel_images = {parameters.kernel_images}; allowed: at most kernel_images"
        )
    maker = CellMaker(parameters, locate(parameters.data).sha256)
    teachers = [maker.teacher(seed) for seed in parameters.all_seeds]
    students = [
        maker.student(method, seed, training_settings(method.settings_of))
        for method in compared_methods()
        for seed in seeds_of(parameters, method)
    ]
    return with_needs([*teachers, *students, *controls_plan(parameters), *colour_plan(parameters)])


def compared_methods() -> list[Method]:
    """List the students of a run, the untrained-teacher control of the chosen form among them."""
    return [*METHODS.values(), untrained_twin(chosen_form())]


def seeds_of(parameters: ClassificationParameters, method: Method) -> list[int]:
    """List the seeds of a student."""
    every = method.every_seed or method.name == chosen_form()
    return parameters.all_seeds if every else parameters.some_seeds
