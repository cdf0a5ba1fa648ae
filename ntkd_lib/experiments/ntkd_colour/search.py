"""The search for the settings of the students on colour images: equal numbers of trials, validation data.

Run as ``python -m ntkd_lib.experiments.ntkd_colour.search``; writes the recorded search. Trials are kept, so
a search that was stopped goes on where it was.
"""

import click

from ntkd_lib.data.registry import locate
from ntkd_lib.experiments.ntkd_classification.methods import Method
from ntkd_lib.experiments.ntkd_classification.parameters import ClassificationParameters
from ntkd_lib.experiments.ntkd_classification.search import TRIALS, TUNING_SEEDS, draw_settings
from ntkd_lib.experiments.ntkd_colour.cells import ColourMaker
from ntkd_lib.experiments.ntkd_colour.methods import METHODS
from ntkd_lib.experiments.ntkd_colour.settings import search_file
from ntkd_lib.records.atomic import write_json
from ntkd_lib.records.cells import Cell
from ntkd_lib.records.execute import run_cells
from ntkd_lib.records.layout import cell_root
from ntkd_lib.records.parameters import load_parameters
from ntkd_lib.records.provenance import snapshot
from ntkd_lib.records.store import CellStore


def tuned_methods() -> list[Method]:
    """List the students that have a search of their own."""
    return [method for method in METHODS.values() if method.space is not None]


def search_cells(maker: ColourMaker) -> dict[tuple[str, int], list[Cell]]:
    """Make the cells of all trials.

    Args:
        maker: Maker of the cells on colour images.

    Returns:
        For each method and trial, one cell a tuning seed.
    """
    return {
        (method.name, trial): [
            maker.student(method, seed, draw_settings(method, trial), f"/trial={trial}")
            for seed in TUNING_SEEDS
        ]
        for method in tuned_methods()
        for trial in range(TRIALS)
    }


@click.command()
@click.option("--tier", type=click.Choice(["cpu", "paper"]), default="cpu", help="Whose budget a trial has.")
@click.option("--workers", type=click.IntRange(1), default=None, help="Processes; default one a core.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu")
def main(tier: str, workers: int | None, device: str) -> None:
    """Run the search and record it."""
    asked = {"device": device}
    parameters = load_parameters(ClassificationParameters, "01_ntkd_classification", tier, asked)
    located = locate(parameters.colour)
    if located.kind != "real":
        raise click.ClickException(f"the search needs the real {parameters.colour}, found a stand-in")
    cells = search_cells(ColourMaker(parameters, located.sha256))
    everything = [cell for trials in cells.values() for cell in trials]
    records = run_cells(everything, CellStore(cell_root()), workers=workers)
    command = ["python", "-m", "ntkd_lib.experiments.ntkd_colour.search", "--tier", tier]
    write_json(
        search_file(),
        {
            "budget": {"trials": TRIALS, "seeds": list(TUNING_SEEDS)},
            "data": {parameters.colour: located.sha256},
            "parameters": parameters.model_dump(),
            "provenance": snapshot(command),
            "space": {method.name: dict(method.space) for method in tuned_methods()},
            "trials": [
                {
                    "method": method,
                    "settings": draw_settings(METHODS[method], trial),
                    "validation": [records[cell.name].values["validation"] for cell in trials],
                    "seconds": [records[cell.name].provenance["seconds"] for cell in trials],
                }
                for (method, trial), trials in cells.items()
            ],
        },
    )


if __name__ == "__main__":
    main()
