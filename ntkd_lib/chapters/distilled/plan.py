"""The plan of notebook 06: every seed is reduced to synthetic gradients, some also run all other methods."""

from collections.abc import Mapping
from typing import Any

from ntkd_lib.chapters.distilled.methods import FEW, image_source, images_cell, label_ridge, network_cell
from ntkd_lib.chapters.distilled.parameters import DistilledParameters
from ntkd_lib.chapters.distilled.studies.memory import memory
from ntkd_lib.chapters.distilled.studies.points import points
from ntkd_lib.chapters.distilled.studies.ranks import ranks
from ntkd_lib.chapters.distilled.studies.sketches import sketch_errors
from ntkd_lib.chapters.distilled.studies.streamed import streamed
from ntkd_lib.chapters.distilled.studies.synthetic import synthetic
from ntkd_lib.chapters.distilled.studies.tuned import tuned_images
from ntkd_lib.chapters.distilled.work import distilled_base, exact
from ntkd_lib.lab import Cell, Data

STREAMED = [400, 1600]  # images of the two streams whose memory is compared


def plan(parameters: DistilledParameters, data: Mapping[str, Data]) -> list[Cell]:
    """List the cells of a run; seeds that are not thorough only reduce distilled images."""
    digits, first = data[parameters.data], parameters.all_seeds[0]
    errors = sketch_errors.cell(draws=parameters.draws, **_common_arguments(parameters, digits, first))
    sets = [data[name] for name in parameters.datasets]
    return [
        memory.cell(counts=STREAMED),
        errors,
        *(synthetic_cell(parameters, each, seed) for each in sets for seed in parameters.seeds_of(each.name)),
        *(
            cell
            for each in sets
            for seed in parameters.thorough_seeds(each.name)
            for cell in thorough_cells(parameters, each, seed)
        ),
    ]


def synthetic_cell(parameters: DistilledParameters, data: Data, seed: int) -> Cell:
    """Describe the reduction of the distilled images' kernels to synthetic gradients."""
    return synthetic.cell(
        label_ridge=label_ridge(),
        images=images_cell(parameters, data, seed, parameters.per_class),
        **_common_arguments(parameters, data, seed),
    )


def thorough_cells(parameters: DistilledParameters, data: Data, seed: int) -> list[Cell]:
    """Describe the exact kernel and all other methods on one seed."""
    few, many = (images_cell(parameters, data, seed, size) for size in (FEW, parameters.per_class))
    common = _common_arguments(parameters, data, seed)
    scored = {**common, "label_ridge": label_ridge()}
    return [
        exact.cell(**scored),
        points.cell(images=[few, many], **scored),
        streamed.cell(sketch=parameters.sketch, **scored),
        ranks.cell(images=many, **common),
        tuned_images.cell(steps=parameters.energy_steps, **scored),
        distilled_base.cell(epochs=parameters.epochs_of(data.name), images=many, **scored),
    ]


def _common_arguments(parameters: DistilledParameters, data: Data, seed: int) -> dict[str, Any]:
    source = image_source(parameters)
    return {"data": data, "seed": seed, "source": source, "network": network_cell(parameters, data, seed)}
