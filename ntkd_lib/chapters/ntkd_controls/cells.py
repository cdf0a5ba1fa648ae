"""The cells of the controls: variants of students, estimates, and regressions on random filters."""

from collections.abc import Mapping
from typing import Any

from ntkd_lib.chapters.ntkd_classification.cells import CellMaker
from ntkd_lib.chapters.ntkd_classification.methods import METHODS
from ntkd_lib.chapters.ntkd_classification.parameters import ClassificationParameters
from ntkd_lib.chapters.ntkd_classification.settings import chosen_form, training_settings
from ntkd_lib.chapters.ntkd_controls.design import Architecture, Variant
from ntkd_lib.lab.cells import Cell

PACKAGE = "ntkd_lib.chapters.ntkd_controls"


def variant_cell(maker: CellMaker, variant: Variant, seed: int) -> Cell:
    """Make the cell of a variant from that of the student which it follows."""
    method = METHODS[chosen_form() if variant.method == "ntkd" else variant.method]
    like = maker.student(method, seed, training_settings(method.settings_of))
    return Cell(
        name=f"{maker.parameters.data}/{variant.family}/{variant.name}/seed={seed}",
        work=f"{PACKAGE}.student:train",
        arguments={**like.arguments, **variant.changes},
        uses=like.uses,
        needs=like.needs,
        data=like.data,
        cost=like.cost,
    )


def estimate_cell(
    parameters: ClassificationParameters, checksum: str, architecture: Architecture, filters: int
) -> Cell:
    """Make the cell that estimates an architecture's accuracy without training it."""
    arguments = {
        "data": parameters.data,
        "sha256": checksum,
        "seed": parameters.all_seeds[0],
        "device": parameters.device,
        "images": parameters.estimate_images,
        "filters": filters,
        "filter_size": architecture.filter_size,
        "rectified": architecture.rectified,
        "depth": len(architecture.hidden),
    }
    return Cell(
        name=f"{parameters.data}/estimate/{architecture.name}",
        work=f"{PACKAGE}.estimate:estimate",
        arguments=arguments,
        data={parameters.data: checksum},
        cost=1 + 5e-7 * parameters.estimate_images**2,
    )


def limit_cell(parameters: Mapping[str, Any], seed: int, checksum: str) -> Cell:
    """Make the cell that regresses labels of all colour images on infinitely many filters."""
    data = "cifar-10"
    fixed = {
        name: parameters[name] for name in ("images", "fitted", "validated", "block", "rank", "compiled")
    }
    return Cell(
        name=f"{data}/random/infinite/all",
        work=f"{PACKAGE}.many_images:regress",
        arguments={"data": data, "sha256": checksum, "seed": seed, **fixed},
        data={data: checksum},
        cost=6600,
    )


def random_cell(
    parameters: ClassificationParameters, data: str, checksum: str, seed: int, kind: str, count: int
) -> Cell:
    """Make the cell that regresses labels on the read-out of random filters."""
    arguments: dict[str, Any] = {
        "data": data,
        "sha256": checksum,
        "seed": seed,
        "device": parameters.device,
        "images": parameters.random_images,
    }
    work = "random_filters:limit"
    if count:
        arguments |= {"kind": kind, "count": count}
        work = "random_filters:regress"
    return Cell(
        name=f"{data}/random/{kind}{count or ''}/seed={seed}",
        work=f"{PACKAGE}.{work}",
        arguments=arguments,
        data={data: checksum},
        cost=1 + 4e-5 * max(count, 300) * parameters.random_images,
    )
