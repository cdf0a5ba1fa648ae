"""What notebook 04 runs: live, every method with the settings of the recorded search; protocols; searches."""

from collections.abc import Mapping
from functools import partial

from ntkd_lib.chapters.koopman import NOTEBOOK
from ntkd_lib.chapters.koopman.methods import (
    DEGREES,
    LEAST_SQUARES,
    PIXELS,
    RADIAL,
    best_trial,
    chosen_objective,
    chosen_size,
    linear_cell,
    pixel_cell,
    scores_cell,
    student_cell,
    teacher_cell,
)
from ntkd_lib.chapters.koopman.parameters import GARMENTS, KoopmanParameters
from ntkd_lib.chapters.koopman.studies import dictionaries, first_search, residual, teachers
from ntkd_lib.chapters.koopman.studies.course import adam_course
from ntkd_lib.chapters.koopman.studies.hardware import faulty_accuracy
from ntkd_lib.chapters.koopman.studies.stability import refits
from ntkd_lib.chapters.koopman.work import LinearFit, Objective
from ntkd_lib.lab.cells import Cell
from ntkd_lib.lab.protocols import Protocol
from ntkd_lib.lab.work import Data

REFITS, ADAM_EPOCHS, ADAM_ORDERS = 10, 20, 3


def plan(parameters: KoopmanParameters, data: Mapping[str, Data]) -> list[Cell]:
    """List the cells of a run; teachers and scores come with the cells that read them."""
    digits = data[parameters.digits]
    return [
        *(cell for name in parameters.datasets for cell in _compared_cells(parameters, data[name])),
        *_side_cells(parameters, digits),
        *_hardware_cells(parameters, digits),
        *residual.cells(parameters, digits),
    ]


def _compared_cells(parameters: KoopmanParameters, data: Data) -> list[Cell]:
    settings = Objective(**best_trial(data.name, 1, PIXELS.name)["settings"])
    return [
        *(cell for degree in DEGREES for cell in students_of(parameters, data, degree).values()),
        *(cell for degree in DEGREES for cell in linear_cells(parameters, data, degree).values()),
        *(pixel_cell(parameters, data, seed=seed, objective=settings) for seed in parameters.side_seeds),
    ]


def seeds_of_students(
    parameters: KoopmanParameters, data: str, degree: int
) -> dict[tuple[str, int], list[int]]:
    """List the seeds of each student by method and size: all if a claim rests on it or its pair, else few."""
    every, first = parameters.all_seeds, parameters.first_seeds
    seeds = {(name, d): first for name in ("ce", "kd") for d in parameters.sizes(degree)}
    if degree > 1:
        seeds["kd", chosen_size(parameters, data, degree, "kd")] = every
    if degree == 2:
        for name in ("ce", "kd"):
            seeds["ce", chosen_size(parameters, data, 2, name)] = every
        seeds["kd_only", chosen_size(parameters, data, 2, "kd_only")] = parameters.side_seeds
    return seeds


def students_of(parameters: KoopmanParameters, data: Data, degree: int) -> dict[tuple[str, int, int], Cell]:
    """Describe the students of a degree; those with a teacher start from the solution without one."""
    cells: dict[tuple[str, int, int], Cell] = {}
    for (method, d), seeds in seeds_of_students(parameters, data.name, degree).items():
        objective = chosen_objective(data.name, degree, method, d)
        for seed in seeds:
            start = cells.get(("ce", d, seed))
            size = {"degree": degree, "components": d, "start": start}
            cells[method, d, seed] = student_cell(parameters, data, method, seed, objective, **size)
    return cells


def fits_of(parameters: KoopmanParameters, data: str, degree: int) -> list[LinearFit]:
    """List the least-squares fits of a degree: each method at each size, with its chosen ridge and rank."""
    fits = []
    for method in LEAST_SQUARES:
        for d in parameters.sizes(degree):
            settings = best_trial(data, degree, method, [d])["settings"]
            rank = d if method == "naive_published" else settings["rank"]
            fits.append(LinearFit(method, d, settings["ridge"], rank))
    return fits


def linear_cells(parameters: KoopmanParameters, data: Data, degree: int) -> dict[int, Cell]:
    """Describe least squares of a degree by seed; the first also computes condition numbers."""
    fits, first = fits_of(parameters, data.name, degree), parameters.first_seeds
    return {
        seed: linear_cell(parameters, data, seed, degree, fits, condition=degree > 1 and seed == first[0])
        for seed in (parameters.all_seeds if degree > 1 else first)
    }


def _side_cells(parameters: KoopmanParameters, data: Data) -> list[Cell]:
    """Describe refits, Adam against Newton, and radial functions: degree 2, one size."""
    seed, d = parameters.all_seeds[0], parameters.side_size
    objectives = {name: chosen_objective(data.name, 2, name, d) for name in ("ce", "kd")}
    settings = best_trial(data.name, 2, "naive", [d])["settings"]
    naive = LinearFit("naive", d, settings["ridge"], settings["rank"])
    common = {
        "seed": seed,
        "degree": 2,
        "inputs": scores_cell(parameters, data, seed),
        "teacher": teacher_cell(parameters, data, seed),
    }
    labels = {"data": data.name}
    radial = Objective(**best_trial(data.name, 2, RADIAL)["settings"])
    return [
        refits.cell(labels, repeats=REFITS, students=objectives, naive=naive, **common),
        adam_course.cell(
            labels, components=d, objective=objectives["kd"], epochs=ADAM_EPOCHS, orders=ADAM_ORDERS, **common
        ),
        *(
            student_cell(parameters, data, RADIAL, each, radial, degree=2, components=d)
            for each in parameters.first_seeds
        ),
    ]


def _hardware_cells(parameters: KoopmanParameters, data: Data) -> list[Cell]:
    """Describe tests on faulty hardware: degree 2, all methods at the size of the distilled student."""
    d, fits = chosen_size(parameters, data.name, 2, "kd"), fits_of(parameters, data.name, 2)
    students, linear = students_of(parameters, data, 2), linear_cells(parameters, data, 2)
    places = {fit.method: number for number, fit in enumerate(fits) if fit.components == d}
    cells = []
    for seed in parameters.all_seeds:
        solutions = {name: (students[name, d, seed], "weights") for name in ("kd", "ce")} | {
            name: (linear[seed], f"weights.{places[name]}") for name in ("naive", "ls_logits")
        }
        inputs = scores_cell(parameters, data, seed)
        common = {"seed": seed, "degree": 2, "components": d, "inputs": inputs}
        cells += [
            faulty_accuracy.cell({"data": data.name, "method": name}, solution=cell, weights=array, **common)
            for name, (cell, array) in solutions.items()
        ]
    return cells


SEARCHES = (first_search.SEARCH, teachers.SEARCH, dictionaries.SEARCH)
PROTOCOLS = (
    *(
        Protocol(f"koopman {name}", NOTEBOOK, each.data, partial(teachers.contest_arms, name), f"04_{name}")
        for name, each in teachers.CONTESTS.items()
    ),
    *(
        Protocol(f"koopman {file[3:]}", NOTEBOOK, name, partial(dictionaries.arms, name), file)
        for name in ("mnist", GARMENTS)
        for file in (f"04_dictionaries_{name}",)
    ),
    Protocol("koopman resnet18", NOTEBOOK, "mnist", residual.arms, "04_resnet18"),
)
