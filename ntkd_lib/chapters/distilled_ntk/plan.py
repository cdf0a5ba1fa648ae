"""The plan of notebook 06."""

from ntkd_lib.chapters.distilled_ntk.cells import FEW, CellMaker, memory_cell
from ntkd_lib.chapters.distilled_ntk.parameters import DistilledParameters
from ntkd_lib.data.registry import locate
from ntkd_lib.lab.cells import Cell


def plan(parameters: DistilledParameters) -> list[Cell]:
    """List the cells of a run.

    Every seed of the digits trains, distils images and reduces them; the first ones, and all seeds of the
    colour images, also get the exact kernel and all other methods.
    """
    digits = CellMaker(parameters, parameters.data, locate(parameters.data).sha256, parameters.epochs)
    colour = CellMaker(
        parameters, parameters.colour, locate(parameters.colour).sha256, parameters.colour_epochs
    )
    cells = [memory_cell(), digits.sketches(parameters.all_seeds[0])]
    for seed in parameters.all_seeds:
        cells += [digits.network(seed), digits.images(seed, parameters.per_class), digits.synthetic(seed)]
    for maker, seeds in ((digits, thorough_seeds(parameters)), (colour, colour_seeds(parameters))):
        for seed in seeds:
            images = [maker.images(seed, size) for size in (FEW, parameters.per_class)]
            cells += [maker.network(seed), *images, maker.synthetic(seed), *maker.thorough(seed)]
    return list({cell.name: cell for cell in cells}.values())


def thorough_seeds(parameters: DistilledParameters) -> list[int]:
    """List the seeds of the digits that get the exact kernel."""
    return parameters.all_seeds[: parameters.thorough]


def colour_seeds(parameters: DistilledParameters) -> list[int]:
    """List the seeds of the colour images."""
    return list(parameters.colour_seeds) if parameters.seed is None else [parameters.seed]
