"""The search that gives every method its settings: the same number of trials for each, on validation cars.

Run as ``python -m ntkd_lib.chapters.ntkd_segmentation.search``; writes the recorded search.
"""

import click

from ntkd_lib.chapters.ntkd_segmentation import NOTEBOOK
from ntkd_lib.chapters.ntkd_segmentation.cells import CellMaker
from ntkd_lib.chapters.ntkd_segmentation.methods import METHODS, Method
from ntkd_lib.chapters.ntkd_segmentation.parameters import SegmentationParameters
from ntkd_lib.chapters.trials import open_search, trial_rows
from ntkd_lib.lab.cells import Cell
from ntkd_lib.lab.execute import run_cells
from ntkd_lib.lab.layout import cell_root
from ntkd_lib.lab.provenance import snapshot
from ntkd_lib.lab.search import draw, spaces
from ntkd_lib.lab.searches import save_search
from ntkd_lib.lab.seeds import derive_seed
from ntkd_lib.lab.store import CellStore

TRIALS = 4
TUNING_SEEDS = (1000,)
STEPS = 200  # half of what is compared: the search must fit two cores


def draw_settings(method: Method, trial: int) -> dict[str, float]:
    """Give the settings of a trial: a point of a scrambled Sobol sequence, which covers a space evenly."""
    return draw(method.space, derive_seed("masks", method.name), trial, points=TRIALS)


def tuned_methods() -> list[Method]:
    """List the methods that have a search of their own."""
    return [method for method in METHODS.values() if method.space is not None]


def search_cells(maker: CellMaker) -> dict[tuple[str, int], list[Cell]]:
    """Make the cells of all trials."""
    return {
        (method.name, trial): [
            maker.student(method, seed, draw_settings(method, trial), trial) for seed in TUNING_SEEDS
        ]
        for method in tuned_methods()
        for trial in range(TRIALS)
    }


def search_parameters(device: str) -> SegmentationParameters:
    """Give the budget of a trial: short training, with the teacher of tier cpu."""
    return SegmentationParameters(tier="cpu", device=device, steps=STEPS)


@click.command()
@click.option("--workers", type=click.IntRange(1), default=None, help="Processes; default one a core.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu")
def main(workers: int | None, device: str) -> None:
    """Run the search and record it."""
    parameters = search_parameters(device)
    located = open_search(parameters.data)[parameters.data]
    cells = search_cells(CellMaker(parameters, located.sha256))
    everything = [cell for trials in cells.values() for cell in trials]
    records = run_cells(everything, CellStore(cell_root()), workers=workers)
    save_search(
        NOTEBOOK,
        {
            "budget": {"trials": TRIALS, "seeds": list(TUNING_SEEDS), "steps": STEPS},
            "data": {parameters.data: located.sha256},
            "parameters": parameters.model_dump(),
            "provenance": snapshot(["python", "-m", "ntkd_lib.chapters.ntkd_segmentation.search"]),
            "space": spaces(METHODS.values()),
            "trials": trial_rows(cells, records, lambda name, trial: draw_settings(METHODS[name], trial)),
        },
    )


if __name__ == "__main__":
    main()
