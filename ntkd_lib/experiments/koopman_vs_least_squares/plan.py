"""The plan of notebook 04: every method with the settings that the recorded search chose."""

from typing import Any

from ntkd_lib.data.registry import locate
from ntkd_lib.experiments.koopman_vs_least_squares.cells import CellMaker
from ntkd_lib.experiments.koopman_vs_least_squares.methods import LEAST_SQUARES
from ntkd_lib.experiments.koopman_vs_least_squares.parameters import KoopmanParameters
from ntkd_lib.experiments.koopman_vs_least_squares.settings import best_trial
from ntkd_lib.records.cells import Cell

GARMENTS = "fashion-mnist"
EXTRA_COMPONENTS, REPEATS, ADAM_EPOCHS, ADAM_ORDERS = 20, 10, 20, 3


def plan(parameters: KoopmanParameters) -> list[Cell]:
    """List the cells of a run; teachers and scores come with the cells that read them.

    Args:
        parameters: Validated parameters.

    Returns:
        The cells, each once.
    """
    cells: list[Cell] = []
    for data in data_sets(parameters):
        maker = CellMaker(parameters, data, locate(data).sha256)
        cells += [*_students(maker), *_least_squares(maker)]
    maker = CellMaker(parameters, parameters.digits, locate(parameters.digits).sha256)
    cells += _extras(maker)
    return _with_needs(cells)


def data_sets(parameters: KoopmanParameters) -> list[str]:
    """Name the data sets of a run: digits, then garments."""
    return [parameters.digits, GARMENTS]


def sizes(parameters: KoopmanParameters, degree: int) -> list[int]:
    """List the numbers of components of a degree.

    Args:
        parameters: Validated parameters.
        degree: 2 or 3.

    Returns:
        Numbers, rising.
    """
    return sorted(parameters.quadratic if degree == 2 else parameters.cubic)


def chosen_size(parameters: KoopmanParameters, data: str, degree: int, method: str) -> int:
    """Give the number of components at which a method did best on validation images of the search.

    Args:
        parameters: Validated parameters; only their sizes are looked at.
        data: Data set.
        degree: 2 or 3.
        method: Method.

    Returns:
        Number of components.
    """
    return best_trial(data, degree, method, sizes(parameters, degree))["components"]


def solved(parameters: KoopmanParameters, data: str, degree: int) -> dict[tuple[str, int], list[int]]:
    """Say for which seeds each student is solved at each size.

    All seeds where a claim rests on it or its pair: ``kd`` and ``ce`` at their chosen sizes. The first seeds
    elsewhere.

    Args:
        parameters: Validated parameters.
        data: Data set.
        degree: 2 or 3.

    Returns:
        Seeds by method and number of components.
    """
    every = parameters.all_seeds
    first = every[: parameters.grid_seeds]
    found = {(name, d): first for name in ("kd", "ce") for d in sizes(parameters, degree)}
    claimed = ("kd", "ce") if degree == 2 else ("kd",)
    for name in claimed:
        found[name, chosen_size(parameters, data, degree, name)] = every
    if degree == 2:
        found["kd_only", chosen_size(parameters, data, 2, "kd_only")] = first
    return found


def _students(maker: CellMaker) -> list[Cell]:
    cells = []
    for degree in (2, 3):
        main = chosen_size(maker.parameters, maker.data, degree, "kd")
        for (method, d), seeds in solved(maker.parameters, maker.data, degree).items():
            settings = best_trial(maker.data, degree, method, [d])["settings"]
            hardware = degree == 2 and d == main
            cells += [maker.student(method, seed, degree, d, settings, hardware=hardware) for seed in seeds]
    return cells


def fits(parameters: KoopmanParameters, data: str, degree: int) -> list[dict[str, Any]]:
    """List the least-squares fits of a degree: each method at each size, with its chosen ridge and rank.

    Args:
        parameters: Validated parameters.
        data: Data set.
        degree: 2 or 3.

    Returns:
        Each a ``method``, ``components``, ``ridge`` and ``rank``.
    """
    found = []
    for method in LEAST_SQUARES:
        for d in sizes(parameters, degree):
            settings = best_trial(data, degree, method, [d])["settings"]
            rank = d if method == "naive_published" else settings["rank"]
            found.append({"method": method, "components": d, "ridge": settings["ridge"], "rank": rank})
    return found


def _least_squares(maker: CellMaker) -> list[Cell]:
    parameters = maker.parameters
    main = chosen_size(parameters, maker.data, 2, "kd")
    return [
        maker.linear(seed, degree, fits(parameters, maker.data, degree), main if degree == 2 else 0)
        for degree in (2, 3)
        for seed in parameters.all_seeds
    ]


def _extras(maker: CellMaker) -> list[Cell]:
    """Refits on parts of the data, Adam against Newton, and radial functions, on digits at degree 2."""
    parameters, data = maker.parameters, maker.data
    seed, d = parameters.all_seeds[0], extra_size(parameters)
    students = {name: best_trial(data, 2, name, [d])["settings"] for name in ("kd", "ce")}
    naive = best_trial(data, 2, "naive", [d])["settings"]
    common = {"seed": seed, "components": d, "degree": 2}
    radial = best_trial(data, 2, "kd_rbf")["settings"]
    return [
        maker.stability({**common, "repeats": REPEATS, "students": students, "naive": naive}),
        maker.course({**common, "settings": students["kd"], "epochs": ADAM_EPOCHS, "repeats": ADAM_ORDERS}),
        *(
            maker.student("kd_rbf", each, 2, d, radial, dictionary="rbf")
            for each in parameters.all_seeds[: parameters.grid_seeds]
        ),
    ]


def extra_size(parameters: KoopmanParameters) -> int:
    """Give the number of components of the extra studies: 20, or the nearest that the run has."""
    return min(parameters.quadratic, key=lambda d: (abs(d - EXTRA_COMPONENTS), d))


def _with_needs(cells: list[Cell]) -> list[Cell]:
    found: dict[str, Cell] = {}
    for cell in cells:
        for part in (*_with_needs(list(cell.needs.values())), cell):
            found.setdefault(part.name, part)
    return list(found.values())
