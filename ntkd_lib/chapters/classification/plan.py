"""The plan of notebook 01: students of digits and colour images for their seeds, and side questions."""

from collections.abc import Mapping

from ntkd_lib.chapters.classification import NOTEBOOK, methods
from ntkd_lib.chapters.classification.parameters import ClassificationParameters
from ntkd_lib.chapters.classification.studies import features, random_filters, read_outs, sizes, stage1
from ntkd_lib.chapters.optical_students.classification_cells import digit_kernel, digit_student
from ntkd_lib.chapters.optical_students.classification_methods import DIGITS, Method, digit_method
from ntkd_lib.lab import Cell, Data, ParameterError


def plan(p: ClassificationParameters, data: Mapping[str, Data]) -> list[Cell]:
    """List the cells of a run, without those that only others need."""
    if strange := sorted(set(p.some_seeds) - set(p.all_seeds)):
        came = f"control_seeds has {strange[0]}"
        raise ParameterError(f"{NOTEBOOK}: {came}, allowed: some of seeds = {p.all_seeds}")
    if p.kernel_batch > p.kernel_images:
        came = f"kernel_batch = {p.kernel_batch} is more than kernel_images = {p.kernel_images}"
        raise ParameterError(f"{NOTEBOOK}: {came}; allowed: at most kernel_images")
    digits = data[p.data]
    return [
        *digit_cells(p, digits),
        *stage1.plan(p, digits),
        *sizes.plan(p, digits),
        *read_outs.plan(p, digits),
        *random_filters.plan(p, data),
        *colour_cells(p, data[p.colour]),
    ]


def digit_cells(p: ClassificationParameters, data: Data) -> list[Cell]:
    """List the students of digits and their teachers, with all labels and with few."""
    kernels = [digit_kernel(p, data, seed) for seed in p.all_seeds]
    students = [digit_student(p, data, m, seed) for m in methods.digit_methods() for seed in seeds_of(p, m)]
    few = [
        digit_student(p, data, digit_method(name), seed, label_share=share)
        for share in methods.SHARES
        for name in methods.TRANSFERS
        for seed in p.some_seeds
    ]
    return [*kernels, *students, *few]


def seeds_of(p: ClassificationParameters, method: Method) -> list[int]:
    """List the seeds of a student of digits."""
    return p.all_seeds if method.every_seed or method.name == DIGITS.chosen_form() else p.some_seeds


def colour_cells(p: ClassificationParameters, data: Data) -> list[Cell]:
    """List the students of colour images and their teachers, with all labels and with few."""
    cells = [methods.colour_kernel(p, data, name) for name in p.teachers]
    for seed in p.colour_run_seeds:
        students = {m.name: methods.colour_student(p, data, m, seed) for m in methods.colour_methods(p)}
        few = [
            methods.colour_student(p, data, methods.COLOURS.methods[name], seed, label_share=share)
            for share in methods.few_labels(p)
            for name in methods.TRANSFERS
        ]
        shown = [features.cell(p, data, seed, students)] if seed == p.colour_run_seeds[0] else []
        cells += [*students.values(), *few, *shown]
    return cells
