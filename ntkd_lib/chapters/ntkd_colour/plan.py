"""The plan on colour images."""

from ntkd_lib.chapters.ntkd_classification.methods import Method
from ntkd_lib.chapters.ntkd_classification.parameters import ClassificationParameters
from ntkd_lib.chapters.ntkd_colour.cells import ColourMaker
from ntkd_lib.chapters.ntkd_colour.methods import (
    CORE,
    FEW_LABEL_STUDENTS,
    FEW_LABELS,
    METHODS,
    STRONG_TWIN,
)
from ntkd_lib.chapters.ntkd_colour.settings import chosen_settings
from ntkd_lib.data.registry import locate
from ntkd_lib.lab.cells import Cell

EMBEDDED = ("none", "kd", "ntkd")


def colour_plan(parameters: ClassificationParameters) -> list[Cell]:
    """List the cells on colour images, without those that only others need."""
    maker = ColourMaker(parameters, locate(parameters.colour).sha256)
    cells = [maker.teacher(name) for name in teacher_names(parameters)]
    for seed in colour_seeds(parameters):
        students = {method.name: student_cell(maker, method, seed) for method in students_of(parameters)}
        cells += [*students.values(), *_few_labels(maker, parameters, seed)]
        if seed == colour_seeds(parameters)[0]:
            cells.append(maker.embedding({name: students[name] for name in EMBEDDED}, seed))
    return cells


def colour_seeds(parameters: ClassificationParameters) -> list[int]:
    """List the seeds of the colour images."""
    return list(parameters.colour_seeds) if parameters.seed is None else [parameters.seed]


def teacher_names(parameters: ClassificationParameters) -> list[str]:
    """List the teachers, the main one first."""
    names = [parameters.colour_teacher, parameters.strong_teacher]
    return [name for name in dict.fromkeys(names) if name != "none"]


def students_of(parameters: ClassificationParameters) -> list[Method]:
    """List the students on colour images."""
    wanted = METHODS if parameters.colour_students == "all" else CORE
    students = [method for method in METHODS.values() if method.name in wanted]
    return students + ([STRONG_TWIN] if parameters.strong_teacher != "none" else [])


def shares_of(parameters: ClassificationParameters) -> tuple[float, ...]:
    """List the shares of labels beside all of them."""
    return FEW_LABELS if parameters.colour_students == "all" else ()


def student_cell(maker: ColourMaker, method: Method, seed: int, share: float = 1) -> Cell:
    """Make the cell of a student with the settings that its search chose."""
    settings = chosen_settings(method.settings_of)
    if share == 1:
        return maker.student(method, seed, settings)
    return maker.student(method, seed, settings, f"/labels={share}", label_share=share)


def _few_labels(maker: ColourMaker, parameters: ClassificationParameters, seed: int) -> list[Cell]:
    return [
        student_cell(maker, METHODS[name], seed, share)
        for share in shares_of(parameters)
        for name in FEW_LABEL_STUDENTS
    ]
