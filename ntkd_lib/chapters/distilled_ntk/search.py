"""The search that chooses the ridge of regression on labels, on validation images of a seed of its own.

Every method gets the same trials. Run as ``python -m ntkd_lib.chapters.distilled_ntk.search``; writes the
recorded search, from which `ntkd_lib.chapters.distilled_ntk.settings` takes the best ridge.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import click
import torch
from torch import Tensor

from ntkd_lib.chapters.distilled_ntk import NOTEBOOK
from ntkd_lib.chapters.distilled_ntk.bench import Bench
from ntkd_lib.chapters.distilled_ntk.cells import CellMaker
from ntkd_lib.chapters.distilled_ntk.parameters import DistilledParameters
from ntkd_lib.chapters.distilled_ntk.scoring import Predict, shared
from ntkd_lib.chapters.trials import open_search
from ntkd_lib.dntk.matching import last_inputs
from ntkd_lib.dntk.regression import fit_nystrom, fit_per_class, predict_per_class
from ntkd_lib.lab.cells import Record
from ntkd_lib.lab.execute import run_cells
from ntkd_lib.lab.layout import cell_root
from ntkd_lib.lab.provenance import snapshot
from ntkd_lib.lab.searches import save_search
from ntkd_lib.lab.store import CellStore

SEED = 1000
RIDGES = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
IMAGES, FEW = 2000, 100


def judge(arguments: Mapping[str, Any], network: Record) -> list[dict[str, Any]]:
    """Try every ridge with every method on the validation images.

    Args:
        arguments: What `prepare` takes.

    Returns:
        One entry a method and ridge: percent of right validation images.
    """
    bench = Bench.open({**arguments, "validation": True, "label_ridge": RIDGES[0]}, network)
    labels, targets = bench.setting.test_labels, bench.targets["labels"]
    return [
        {
            "data": arguments["data"],
            "method": method,
            "ridge": ridge,
            "validation": 100 * (predict(targets, ridge).argmax(1) == labels).double().mean().item(),
        }
        for method, predict in _methods(bench)
        for ridge in RIDGES
    ]


def _methods(bench: Bench) -> Iterator[tuple[str, Predict]]:
    """Give predictions by targets and ridge: the exact kernel, and what is compared with it."""
    images, held = bench.setting.images, bench.setting.test_images
    theta, cross = bench.kernel(images), bench.kernel(held, images)
    yield "exact", lambda y, r: predict_per_class(cross, fit_per_class(theta, y, r))
    yield "random", lambda y, r: _subset(theta, cross, y, r)
    part, own = theta[:, :, :FEW], theta[:, :FEW, :FEW]
    yield "nystrom", lambda y, r: predict_per_class(cross[:, :, :FEW], fit_nystrom(part, own, y, r))
    half = images[: len(images) // 2]
    sums, seen = (bench.kernel(*pair, kind="pseudo") for pair in ((half,), (held, half)))
    yield "pseudo", lambda y, r: shared(sums, seen, y[: len(half)], r)
    features, tests = (last_inputs(bench.model, part) for part in (images, held))
    yield "last layer", lambda y, r: shared(features @ features.T, tests @ features.T, y, r)


def _subset(theta: Tensor, cross: Tensor, targets: Tensor, ridge: float) -> Tensor:
    fit = fit_per_class(theta[:, :FEW, :FEW], targets[:FEW], ridge)
    return predict_per_class(cross[:, :, :FEW], fit)


@click.command()
def main() -> None:
    """Run the search and record it."""
    torch.set_num_threads(1)
    parameters = DistilledParameters(images=IMAGES)
    located = open_search(parameters.data, parameters.colour)
    trials = []
    for name, epochs in ((parameters.data, parameters.epochs), (parameters.colour, parameters.colour_epochs)):
        cell = CellMaker(parameters, name, located[name].sha256, epochs).network(SEED)
        record = run_cells([cell], CellStore(cell_root()), workers=1)[cell.name]
        trials += judge(cell.arguments, record)
    save_search(
        NOTEBOOK,
        {
            "budget": {"ridges": list(RIDGES), "seed": SEED, "images": IMAGES, "points": FEW},
            "data": {name: found.sha256 for name, found in located.items()},
            "provenance": snapshot(["python", "-m", "ntkd_lib.chapters.distilled_ntk.search"]),
            "trials": trials,
        },
    )


if __name__ == "__main__":
    main()
