"""The plan of the controls."""

from ntkd_lib.chapters.ntkd_classification.cells import CellMaker
from ntkd_lib.chapters.ntkd_classification.parameters import ClassificationParameters
from ntkd_lib.chapters.ntkd_controls.cells import estimate_cell, random_cell, variant_cell
from ntkd_lib.chapters.ntkd_controls.design import (
    ARCHITECTURES,
    RANDOM_KINDS,
    VARIANTS,
    Architecture,
    Variant,
    signed_filters,
)
from ntkd_lib.data.registry import locate
from ntkd_lib.lab.cells import Cell
from ntkd_lib.lab.parameters import ParameterError

ASKED = "asked"


def controls_plan(parameters: ClassificationParameters) -> list[Cell]:
    """List the cells of the controls, without those that only others need."""
    checksum = locate(parameters.data).sha256
    maker = CellMaker(parameters, checksum)
    cells = [variant_cell(maker, v, seed) for v in variants_of(parameters) for seed in parameters.some_seeds]
    cells += [estimate_cell(parameters, checksum, a, a.filters) for a in ARCHITECTURES]
    cells.append(estimate_cell(parameters, checksum, *asked_architecture(parameters)))
    for data in (parameters.data, parameters.colour):
        cells += _random(parameters, data)
    return cells


def variants_of(parameters: ClassificationParameters) -> list[Variant]:
    """List the variants of a run."""
    return [v for v in VARIANTS.values() if v.family != "depth" or parameters.optical_depth]


def asked_architecture(parameters: ClassificationParameters) -> tuple[Architecture, int]:
    """Turn the surface that the parameters give into an architecture."""
    height, width, size = parameters.surface_height, parameters.surface_width, parameters.filter_size
    if size % 2 == 0:
        raise ParameterError(f"01_ntkd_classification: filter_size = {size} is even; allowed: odd sizes")
    count = signed_filters(height, width, size, parameters.gap)
    if count < 1:
        raise ParameterError(
            f"01_ntkd_classification: surface_height = {height} and surface_width = {width} have no room for "
            f"a pair of filters of {size} pixels with gap = {parameters.gap}; allowed: larger surfaces"
        )
    return Architecture(ASKED, "as asked for", height, width, size), count


def _random(parameters: ClassificationParameters, data: str) -> list[Cell]:
    checksum = locate(data).sha256
    seeds = parameters.some_seeds
    cells = [
        random_cell(parameters, data, checksum, seed, kind, count)
        for kind in RANDOM_KINDS
        for count in parameters.random_filters
        for seed in seeds
    ]
    return [*cells, random_cell(parameters, data, checksum, seeds[0], "infinite", 0)]
