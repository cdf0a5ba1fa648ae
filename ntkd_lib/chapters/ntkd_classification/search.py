"""The search that gives every method its settings: the same number of trials for each, on validation data.

Run as ``python -m ntkd_lib.chapters.ntkd_classification.search``; writes the recorded search.
"""

import click

from ntkd_lib.chapters.ntkd_classification import NOTEBOOK
from ntkd_lib.chapters.ntkd_classification.cells import CellMaker
from ntkd_lib.chapters.ntkd_classification.methods import METHODS, Method
from ntkd_lib.chapters.ntkd_classification.parameters import ClassificationParameters
from ntkd_lib.chapters.trials import open_search, trial_rows
from ntkd_lib.lab.cells import Cell
from ntkd_lib.lab.execute import run_cells
from ntkd_lib.lab.layout import cell_root
from ntkd_lib.lab.provenance import snapshot
from ntkd_lib.lab.search import draw
from ntkd_lib.lab.searches import save_search
from ntkd_lib.lab.seeds import derive_seed
from ntkd_lib.lab.store import CellStore

POINTS = 8  # of a method's sequence
TRIALS = 6
TUNING_SEEDS = (1000,)


def draw_settings(method: Method, trial: int) -> dict[str, float]:
    """Give the settings of a trial: a point of a scrambled Sobol sequence, which covers a space evenly."""
    return draw(method.space, derive_seed("search", method.name), trial, points=POINTS)


def tuned_methods() -> list[Method]:
    """List the methods that have a search of their own."""
    return [method for method in METHODS.values() if method.space is not None]


def search_cells(maker: CellMaker) -> dict[tuple[str, int], list[Cell]]:
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
@click.option("--workers", type=click.IntRange(1), default=None, help="Processes; default one a core.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu")
def main(workers: int | None, device: str) -> None:
    """Run the search and record it."""
    parameters = ClassificationParameters(tier="cpu", device=device)
    located = open_search(parameters.data)[parameters.data]
    cells = search_cells(CellMaker(parameters, located.sha256))
    everything = [cell for trials in cells.values() for cell in trials]
    records = run_cells(everything, CellStore(cell_root()), workers=workers)
    save_search(
        NOTEBOOK,
        {
            "budget": {"trials": TRIALS, "seeds": list(TUNING_SEEDS)},
            "data": {parameters.data: located.sha256},
            "parameters": parameters.model_dump(),
            "provenance": snapshot(["python", "-m", "ntkd_lib.chapters.ntkd_classification.search"]),
            "space": {method.name: dict(method.space) for method in tuned_methods()},
            "trials": trial_rows(cells, records, lambda name, trial: draw_settings(METHODS[name], trial)),
        },
    )


if __name__ == "__main__":
    main()
