"""What notebook 04 runs: live, every method with the settings of the recorded search; protocols; searches."""

from collections.abc import Mapping
from functools import partial

from ntkd_lib.chapters.koopman import NOTEBOOK, methods
from ntkd_lib.chapters.koopman.parameters import GARMENTS, KoopmanParameters
from ntkd_lib.chapters.koopman.studies import dictionaries, first_search, residual, teachers
from ntkd_lib.chapters.koopman.studies.course import adam_course
from ntkd_lib.chapters.koopman.studies.hardware import faulty_accuracy
from ntkd_lib.chapters.koopman.studies.stability import refits
from ntkd_lib.chapters.koopman.work import LinearFit, Objective
from ntkd_lib.lab import Cell, Data, Protocol

REFITS, ADAM_EPOCHS, ADAM_ORDERS = 10, 20, 3


def plan(p: KoopmanParameters, data: Mapping[str, Data]) -> list[Cell]:
    """List the cells of a run; teachers and scores come with the cells that read them."""
    digits = data[p.digits]
    return [
        *(cell for name in p.datasets for cell in _compared_cells(p, data[name])),
        *_side_cells(p, digits),
        *_hardware_cells(p, digits),
        *residual.cells(p, digits),
    ]


def _compared_cells(p: KoopmanParameters, data: Data) -> list[Cell]:
    pixels = {"objective": Objective(**methods.best_trial(data.name, 1, methods.PIXELS.name)["settings"])}
    return [
        *(cell for degree in methods.DEGREES for cell in students_of(p, data, degree).values()),
        *(cell for degree in methods.DEGREES for cell in linear_cells(p, data, degree).values()),
        *(methods.pixel_cell(p, data, seed=seed, **pixels) for seed in p.side_seeds),
    ]


def seeds_of_students(p: KoopmanParameters, data: str, degree: int) -> dict[tuple[str, int], list[int]]:
    """List the seeds of each student by method and size: all if a claim rests on it or its pair, else few."""
    every, first = p.all_seeds, p.first_seeds
    seeds = {(name, d): first for name in ("ce", "kd") for d in p.sizes(degree)}
    if degree > 1:
        seeds["kd", methods.chosen_size(p, data, degree, "kd")] = every
    if degree == 2:
        for name in ("ce", "kd"):
            seeds["ce", methods.chosen_size(p, data, 2, name)] = every
        seeds["kd_only", methods.chosen_size(p, data, 2, "kd_only")] = p.side_seeds
    return seeds


def students_of(p: KoopmanParameters, data: Data, degree: int) -> dict[tuple[str, int, int], Cell]:
    """Describe the students of a degree; those with a teacher start from the solution without one."""
    cells: dict[tuple[str, int, int], Cell] = {}
    for (method, d), seeds in seeds_of_students(p, data.name, degree).items():
        objective = methods.chosen_objective(data.name, degree, method, d)
        for seed in seeds:
            start = cells.get(("ce", d, seed))
            size = {"degree": degree, "components": d, "start": start}
            cells[method, d, seed] = methods.student_cell(p, data, method, seed, objective, **size)
    return cells


def fits_of(p: KoopmanParameters, data: str, degree: int) -> list[LinearFit]:
    """List the least-squares fits of a degree: each method at each size, with its chosen ridge and rank."""
    fits = []
    for method in methods.LEAST_SQUARES:
        for d in p.sizes(degree):
            settings = methods.best_trial(data, degree, method, [d])["settings"]
            rank = d if method == "naive_published" else settings["rank"]
            fits.append(LinearFit(method, d, settings["ridge"], rank))
    return fits


def linear_cells(p: KoopmanParameters, data: Data, degree: int) -> dict[int, Cell]:
    """Describe least squares of a degree by seed; the first also computes condition numbers."""
    fits, seeds = fits_of(p, data.name, degree), p.first_seeds
    one = seeds[0] if degree > 1 else None
    return {
        seed: methods.linear_cell(p, data, seed, degree, fits, condition=seed == one)
        for seed in (p.all_seeds if degree > 1 else seeds)
    }


def _side_cells(p: KoopmanParameters, data: Data) -> list[Cell]:
    """Describe refits, and Adam against Newton: degree 2, one size."""
    seed, d = p.all_seeds[0], p.side_size
    objectives = {name: methods.chosen_objective(data.name, 2, name, d) for name in ("ce", "kd")}
    settings = methods.best_trial(data.name, 2, "naive", [d])["settings"]
    naive = LinearFit("naive", d, settings["ridge"], settings["rank"])
    cells = {"inputs": methods.scores_cell(p, data, seed), "teacher": methods.teacher_cell(p, data, seed)}
    common = {"seed": seed, "degree": 2, **cells}
    labels = {"data": data.name}
    return [
        refits.cell(labels, repeats=REFITS, students=objectives, naive=naive, **common),
        adam_course.cell(
            labels, components=d, objective=objectives["kd"], epochs=ADAM_EPOCHS, orders=ADAM_ORDERS, **common
        ),
    ]


def _hardware_cells(p: KoopmanParameters, data: Data) -> list[Cell]:
    """Describe tests on faulty hardware: degree 2, all methods at the size of the distilled student."""
    d, fits = methods.chosen_size(p, data.name, 2, "kd"), fits_of(p, data.name, 2)
    students, linear = students_of(p, data, 2), linear_cells(p, data, 2)
    places = {fit.method: number for number, fit in enumerate(fits) if fit.components == d}
    cells = []
    for seed in p.all_seeds:
        solutions = {name: (students[name, d, seed], "weights") for name in ("kd", "ce")} | {
            name: (linear[seed], f"weights.{places[name]}") for name in ("naive", "ls_logits")
        }
        inputs = methods.scores_cell(p, data, seed)
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
        Protocol(f"koopman {part}", NOTEBOOK, name, partial(dictionaries.arms, name), f"04_{part}")
        for part, name in (("dictionaries_mnist", "mnist"), (f"dictionaries_{GARMENTS}", GARMENTS))
    ),
    Protocol("koopman resnet18", NOTEBOOK, "mnist", residual.arms, "04_resnet18"),
)
