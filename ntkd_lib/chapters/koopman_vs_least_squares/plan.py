"""The plan of notebook 04: every method with the settings that the recorded search chose."""

from typing import Any

from ntkd_lib.chapters.koopman_vs_least_squares.cells import CellMaker
from ntkd_lib.chapters.koopman_vs_least_squares.methods import LEAST_SQUARES, RANKS, RIDGES
from ntkd_lib.chapters.koopman_vs_least_squares.parameters import KoopmanParameters
from ntkd_lib.chapters.koopman_vs_least_squares.settings import best_trial
from ntkd_lib.chapters.plans import with_needs
from ntkd_lib.data.registry import locate
from ntkd_lib.lab.cells import Cell

GARMENTS = "fashion-mnist"
DEGREES = (1, 2, 3)
RESNET = "resnet18"
EXTRA_COMPONENTS, REPEATS, ADAM_EPOCHS, ADAM_ORDERS = 20, 10, 20, 3
SIDE_SEEDS = 3


def plan(parameters: KoopmanParameters) -> list[Cell]:
    """List the cells of a run; teachers and scores come with the cells that read them."""
    cells: list[Cell] = []
    for data in data_sets(parameters):
        maker = CellMaker(parameters, data, locate(data).sha256)
        cells += [*_students(maker), *_least_squares(maker), *_pixels(maker)]
    maker = CellMaker(parameters, parameters.digits, locate(parameters.digits).sha256)
    cells += [*_extras(maker), *_residual(maker)]
    return with_needs(cells)


def data_sets(parameters: KoopmanParameters) -> list[str]:
    """Name the data sets of a run: digits, then garments."""
    return [parameters.digits, GARMENTS]


def sizes(parameters: KoopmanParameters, degree: int) -> list[int]:
    """List the numbers of components of a degree; degree 1 is a control, with the most components alone."""
    if degree == 1:
        return [max(parameters.quadratic)]
    return sorted(parameters.quadratic if degree == 2 else parameters.cubic)


def chosen_size(parameters: KoopmanParameters, data: str, degree: int, method: str) -> int:
    """Give the number of components at which a method did best on validation images of the search."""
    return best_trial(data, degree, method, sizes(parameters, degree))["components"]


def solved(parameters: KoopmanParameters, data: str, degree: int) -> dict[tuple[str, int], list[int]]:
    """Say for which seeds each student is solved at each size.

    All seeds where a claim rests on it or its pair: ``kd`` at its chosen size, ``ce`` at degree 2 there and
    at its own. The first seeds elsewhere; fewer for ``kd_only``.
    """
    every = parameters.all_seeds
    first = first_seeds(parameters)
    found = {(name, d): first for name in ("ce", "kd") for d in sizes(parameters, degree)}
    if degree > 1:
        found["kd", chosen_size(parameters, data, degree, "kd")] = every
    if degree == 2:
        for name in ("ce", "kd"):
            found["ce", chosen_size(parameters, data, 2, name)] = every
        found["kd_only", chosen_size(parameters, data, 2, "kd_only")] = side_seeds(parameters)
    return found


def _students(maker: CellMaker) -> list[Cell]:
    return [cell for degree in DEGREES for cell in _students_of(maker, degree).values()]


def _students_of(maker: CellMaker, degree: int) -> dict[tuple[str, int, int], Cell]:
    """Make the students of a degree; with a teacher they start from the solution without one."""
    parameters, data = maker.parameters, maker.data
    main, cells = chosen_size(parameters, data, degree, "kd"), {}
    for (method, d), seeds in solved(parameters, data, degree).items():
        settings = best_trial(data, degree, method, [d])["settings"]
        hardware = degree == 2 and d == main
        for seed in seeds:
            start = cells.get(("ce", d, seed))
            cell = maker.student(method, seed, degree, d, settings, hardware=hardware, start=start)
            cells[method, d, seed] = cell
    return cells


def _pixels(maker: CellMaker) -> list[Cell]:
    settings = best_trial(maker.data, 1, "pixels")["settings"]
    return [maker.pixels(seed, settings) for seed in side_seeds(maker.parameters)]


def first_seeds(parameters: KoopmanParameters) -> list[int]:
    """List the seeds of controls that no claim rests on."""
    return parameters.all_seeds[: parameters.grid_seeds]


def side_seeds(parameters: KoopmanParameters) -> list[int]:
    """List the seeds of costly controls that no paired test rests on."""
    return first_seeds(parameters)[:SIDE_SEEDS]


def fits(parameters: KoopmanParameters, data: str, degree: int) -> list[dict[str, Any]]:
    """List the least-squares fits of a degree: each method at each size, with its chosen ridge and rank."""
    found = []
    for method in LEAST_SQUARES:
        for d in sizes(parameters, degree):
            settings = best_trial(data, degree, method, [d])["settings"]
            rank = d if method == "naive_published" else settings["rank"]
            found.append({"method": method, "components": d, "ridge": settings["ridge"], "rank": rank})
    return found


def _least_squares(maker: CellMaker) -> list[Cell]:
    parameters, cells = maker.parameters, []
    main, first = chosen_size(parameters, maker.data, 2, "kd"), first_seeds(parameters)
    for degree in DEGREES:
        asked, hardware = fits(parameters, maker.data, degree), main if degree == 2 else 0
        for seed in parameters.all_seeds if degree > 1 else first:
            wanted = degree > 1 and seed == first[0]
            cells.append(maker.linear(seed, degree, asked, hardware=hardware, condition=wanted))
    return cells


def _residual(maker: CellMaker) -> list[Cell]:
    """Students of a ResNet-18 and EDMD from its last hidden layer, on digits at degree 2."""
    parameters = maker.parameters
    seeds, d = residual_seeds(parameters), chosen_size(parameters, maker.data, 2, "kd")
    settings = best_trial(maker.data, 2, "kd", [d])["settings"]
    own = chosen_size(parameters, maker.data, 2, "naive")
    grid = [
        {"method": "naive", "components": own, "ridge": ridge, "rank": rank}
        for ridge in RIDGES
        for rank in RANKS
    ]
    return [
        cell
        for seed in seeds
        for cell in (
            maker.student("kd", seed, 2, d, settings, network=RESNET),
            maker.linear(seed, 2, grid, network=RESNET),
        )
    ]


def residual_seeds(parameters: KoopmanParameters) -> list[int]:
    """List the seeds that have a ResNet-18 as teacher."""
    return parameters.all_seeds[: parameters.resnet_seeds]


def _extras(maker: CellMaker) -> list[Cell]:
    """Refits on parts of the data, Adam against Newton, and radial functions, on digits at degree 2."""
    parameters, data = maker.parameters, maker.data
    seed, d = parameters.all_seeds[0], extra_size(parameters)
    students = {name: best_trial(data, 2, name, [d])["settings"] for name in ("ce", "kd")}
    naive = best_trial(data, 2, "naive", [d])["settings"]
    common = {"seed": seed, "components": d, "degree": 2}
    radial = best_trial(data, 2, "kd_rbf")["settings"]
    return [
        maker.stability({**common, "repeats": REPEATS, "students": students, "naive": naive}),
        maker.course({**common, "settings": students["kd"], "epochs": ADAM_EPOCHS, "repeats": ADAM_ORDERS}),
        *(maker.student("kd_rbf", each, 2, d, radial, dictionary="rbf") for each in first_seeds(parameters)),
    ]


def extra_size(parameters: KoopmanParameters) -> int:
    """Give the number of components of the extra studies: 20, or the nearest that the run has."""
    return min(parameters.quadratic, key=lambda d: (abs(d - EXTRA_COMPONENTS), d))
