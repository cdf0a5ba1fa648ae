"""The search that gives every method its settings, on validation images of a seed that is not reported.

Students get the same number of trials each: first points of an even sequence at a small size, then for every
size the best loss settings of that size with two ridges. Least squares is solved for its whole grid.

Run as ``python -m ntkd_lib.chapters.koopman_vs_least_squares.search``; writes the recorded search.
"""

from collections.abc import Mapping
from typing import Any

import click

from ntkd_lib.chapters.koopman_vs_least_squares import NOTEBOOK
from ntkd_lib.chapters.koopman_vs_least_squares.cells import SEARCH_TOLERANCE, CellMaker
from ntkd_lib.chapters.koopman_vs_least_squares.methods import (
    LEAST_SQUARES,
    PIXELS,
    RANKS,
    RIDGES,
    STUDENTS,
    Method,
)
from ntkd_lib.chapters.koopman_vs_least_squares.parameters import KoopmanParameters
from ntkd_lib.chapters.koopman_vs_least_squares.plan import DEGREES, data_sets, sizes
from ntkd_lib.chapters.trials import open_search
from ntkd_lib.lab.cells import Cell, Record
from ntkd_lib.lab.execute import run_cells
from ntkd_lib.lab.layout import cell_root
from ntkd_lib.lab.provenance import snapshot
from ntkd_lib.lab.search import draw
from ntkd_lib.lab.searches import save_search
from ntkd_lib.lab.seeds import derive_seed
from ntkd_lib.lab.store import CellStore

POINTS, TRIALS, TUNING_SEED = 8, 6, 1000  # POINTS: of a method's sequence
SMALL = {1: 40, 2: 20, 3: 10}  # components of the first trials
# of the degree; at degree 3 less would take several times as long
SECOND_RIDGES = {1: (1e-6, 1e-5), 2: (3e-6, 3e-5), 3: (3e-5, 1e-4)}
WIDTHS = (0.5, 1.0, 2.0)


def draw_settings(method: Method, trial: int) -> dict[str, float]:
    """Give the settings of a first trial: a point of a scrambled Sobol sequence, which covers a space evenly.

    Args:
        method: Method with a search space.
        trial: Number of the trial.

    Returns:
        One value for each name of the space, rounded to three significant digits, and the fixed ones.
    """
    drawn = draw(method.space, derive_seed("search", method.name), trial, points=POINTS)
    return {**method.fixed, **drawn}


class Search:
    """The trials of one data set."""

    def __init__(self, maker: CellMaker, workers: int | None) -> None:
        self.maker = maker
        self.workers = workers

    def trials(self) -> list[dict[str, Any]]:
        """Run all trials."""
        found = []
        for degree in DEGREES:
            names = STUDENTS if degree == 2 else ("kd", "ce")
            first = self._students({m: self._first(STUDENTS[m], degree) for m in names}, degree)
            second = self._students({m: self._second(first, m, degree) for m in names}, degree)
            found += [*first, *second, *self._linear(degree)]
        return found + self._pixels() + self._radial(found)

    def _first(self, method: Method, degree: int) -> list[tuple[int, dict[str, float]]]:
        return [(SMALL[degree], draw_settings(method, trial)) for trial in range(TRIALS)]

    def _second(
        self, first: list[dict[str, Any]], method: str, degree: int
    ) -> list[tuple[int, dict[str, float]]]:
        best = max((t for t in first if t["method"] == method), key=lambda t: t["validation"])["settings"]
        return [
            (d, {**best, "ridge": ridge})
            for d in sizes(self.maker.parameters, degree)
            for ridge in SECOND_RIDGES[degree]
        ]

    def _students(
        self,
        asked: Mapping[str, list[tuple[int, dict[str, float]]]],
        degree: int,
        dictionary: str = "monomials",
    ) -> list[dict[str, Any]]:
        cells = {}
        for method, points in asked.items():
            for number, (d, settings) in enumerate(points):
                cell = self.maker.student(
                    method,
                    TUNING_SEED,
                    degree,
                    d,
                    settings,
                    tag=f"/trial={number}/ridge={settings['ridge']:g}",
                    dictionary=dictionary,
                    tolerance=SEARCH_TOLERANCE,
                )
                cells[method, number] = (cell, d, settings)
        records = self._run([cell for cell, _, _ in cells.values()])
        return [
            self._row(degree, method, d, settings, records[cell.name].values["validation"])
            for (method, _), (cell, d, settings) in cells.items()
        ]

    def _linear(self, degree: int) -> list[dict[str, Any]]:
        fits = [
            {"method": method, "components": d, "ridge": ridge, "rank": rank}
            for method in LEAST_SQUARES
            for d in sizes(self.maker.parameters, degree)
            for ridge in (RIDGES if method != "naive_published" else (0.0,))
            for rank in _ranks(method, d)
        ]
        cell = self.maker.linear(TUNING_SEED, degree, fits)
        (record,) = self._run([cell]).values()
        return [
            self._row(
                degree,
                fit["method"],
                fit["components"],
                {"ridge": fit["ridge"], "rank": fit["rank"]},
                fit["validation"],
            )
            for fit in record.values["fits"]
        ]

    def _pixels(self) -> list[dict[str, Any]]:
        points = [draw_settings(PIXELS, trial) for trial in range(TRIALS)]
        cells = [
            self.maker.pixels(TUNING_SEED, settings, f"/trial={number}", SEARCH_TOLERANCE)
            for number, settings in enumerate(points)
        ]
        records = self._run(cells)
        return [
            self._row(1, PIXELS.name, 784, settings, records[cell.name].values["validation"])
            for cell, settings in zip(cells, points, strict=True)
        ]

    def _radial(self, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
        of_kd = [t for t in found if t["method"] == "kd" and t["degree"] == 2]
        best = max((t for t in of_kd if t["components"] == SMALL[2]), key=lambda t: t["validation"])
        points = [
            (SMALL[2], {**best["settings"], "ridge": ridge, "width": width})
            for width in WIDTHS
            for ridge in SECOND_RIDGES[2]
        ]
        return self._students({"kd_rbf": points}, 2, "rbf")

    def _run(self, cells: list[Cell]) -> dict[str, Record]:
        return run_cells(cells, CellStore(cell_root()), workers=self.workers)

    def _row(
        self, degree: int, method: str, components: int, settings: dict[str, float], validation: float
    ) -> dict[str, Any]:
        return {
            "data": self.maker.data,
            "degree": degree,
            "method": method,
            "components": components,
            "settings": settings,
            "validation": validation,
        }


def _ranks(method: str, components: int) -> tuple[int, ...]:
    if method == "naive":
        return RANKS
    return (components,) if method == "naive_published" else (0,)


@click.command()
@click.option("--workers", type=click.IntRange(1), default=None, help="Processes; default one a core.")
def main(workers: int | None) -> None:
    """Run the search and record it."""
    parameters = KoopmanParameters(tier="cpu")
    located = open_search(*data_sets(parameters))
    trials = []
    for name, place in located.items():
        trials += Search(CellMaker(parameters, name, place.sha256), workers).trials()
    save_search(
        NOTEBOOK,
        {
            "budget": {
                "trials": TRIALS,
                "ridges": {str(degree): list(ridges) for degree, ridges in SECOND_RIDGES.items()},
                "seed": TUNING_SEED,
            },
            "data": {name: place.sha256 for name, place in located.items()},
            "parameters": parameters.model_dump(),
            "provenance": snapshot(["python", "-m", "ntkd_lib.chapters.koopman_vs_least_squares.search"]),
            "space": {method.name: dict(method.space) for method in (*STUDENTS.values(), PIXELS)},
            "trials": trials,
        },
    )


if __name__ == "__main__":
    main()
