"""The search for the settings of the students on colour images: equal numbers of trials, validation data.

Trials are short, and the same points of the unit cube serve all methods: trial 2 of each has the same
learning rate and weight decay, so that none is favoured by its draw.

Run as ``python -m ntkd_lib.chapters.ntkd_colour.search``; writes the recorded search. Trials are kept, so
a search that was stopped goes on where it was.
"""

from collections.abc import Iterable, Mapping

import click

from ntkd_lib.chapters.ntkd_classification.methods import Method
from ntkd_lib.chapters.ntkd_classification.parameters import ClassificationParameters
from ntkd_lib.chapters.ntkd_classification.search import TUNING_SEEDS
from ntkd_lib.chapters.ntkd_colour.cells import ColourMaker
from ntkd_lib.chapters.ntkd_colour.methods import METHODS
from ntkd_lib.chapters.ntkd_colour.settings import SEARCH
from ntkd_lib.chapters.trials import open_search, trial_rows
from ntkd_lib.data.registry import locate
from ntkd_lib.lab.cells import Cell, Record
from ntkd_lib.lab.execute import run_cells
from ntkd_lib.lab.layout import cell_root
from ntkd_lib.lab.parameters import load_parameters
from ntkd_lib.lab.provenance import snapshot
from ntkd_lib.lab.search import draw
from ntkd_lib.lab.searches import save_search
from ntkd_lib.lab.seeds import derive_seed
from ntkd_lib.lab.store import CellStore

TRIALS = 4
LENGTHS = {"colour_epochs": 3, "colour_single_epochs": 6}
DIMENSIONS = 5  # of the largest space


def draw_settings(method: Method, trial: int) -> dict[str, float]:
    """Give the settings of a trial: a point of one scrambled Sobol sequence, the first coordinates of it."""
    seed = derive_seed("search", "colour")
    return draw(method.space, seed, trial, points=TRIALS, dimensions=DIMENSIONS)


def tuned_methods() -> list[Method]:
    """List the students that have a search of their own."""
    return [method for method in METHODS.values() if method.space is not None]


def search_cells(maker: ColourMaker) -> dict[tuple[str, int], list[Cell]]:
    """Make the cells of all trials."""
    return {
        (method.name, trial): [
            maker.student(method, seed, draw_settings(method, trial), f"/trial={trial}", tested=False)
            for seed in TUNING_SEEDS
        ]
        for method in tuned_methods()
        for trial in range(TRIALS)
    }


@click.command()
@click.argument("names", nargs=-1, type=click.Choice([method.name for method in tuned_methods()]))
@click.option("--workers", type=click.IntRange(1), default=None, help="Processes; default one a core.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu")
def main(names: tuple[str, ...], workers: int | None, device: str) -> None:
    """Run the search of some methods, all by default, and record it where all are complete."""
    asked = {"device": device, **LENGTHS}
    parameters = load_parameters(ClassificationParameters, "01_ntkd_classification", "cpu", asked)
    located = open_search(parameters.colour)[parameters.colour]
    cells = search_cells(ColourMaker(parameters, located.sha256))
    store = CellStore(cell_root())
    if names:
        run_cells(_of(cells, names), store, workers=workers)
    else:
        _record(parameters, cells, run_cells(_of(cells, METHODS), store, workers=workers))


def _of(cells: Mapping[tuple[str, int], list[Cell]], names: Iterable[str]) -> list[Cell]:
    return [cell for (name, _), trials in cells.items() if name in names for cell in trials]


def _record(
    parameters: ClassificationParameters,
    cells: Mapping[tuple[str, int], list[Cell]],
    records: Mapping[str, Record],
) -> None:
    save_search(
        SEARCH,
        {
            "budget": {"trials": TRIALS, "seeds": list(TUNING_SEEDS)},
            "data": {parameters.colour: locate(parameters.colour).sha256},
            "parameters": parameters.model_dump(),
            "provenance": snapshot(["python", "-m", "ntkd_lib.chapters.ntkd_colour.search"]),
            "space": {method.name: dict(method.space) for method in tuned_methods()},
            "trials": trial_rows(cells, records, lambda name, trial: draw_settings(METHODS[name], trial)),
        },
    )


if __name__ == "__main__":
    main()
