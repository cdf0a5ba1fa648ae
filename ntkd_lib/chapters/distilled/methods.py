"""Cells of notebook 06, and the search for the ridge of regression on labels."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import mean
from typing import Any

from ntkd_lib.chapters.distilled import NOTEBOOK
from ntkd_lib.chapters.distilled.parameters import DistilledParameters
from ntkd_lib.chapters.distilled.work import (
    Comparison,
    ImageSource,
    Predict,
    distilled_images,
    network,
    percent_equal,
    shared,
)
from ntkd_lib.dntk.matching import last_inputs
from ntkd_lib.dntk.regression import fit_nystrom, fit_per_class, predict_per_class
from ntkd_lib.lab import Cell, CellResult, Record, RunCells, Search, read_search
from ntkd_lib.lab.work import Data, work

NAMES = {"mnist": "MNIST", "mnist-5k": "MNIST", "cifar-10": "CIFAR-10", "imagenette": "Imagenette"}
LABELS = {
    "exact": "exact, all images",
    "random": "random real images",
    "pivoted": "images chosen by last layer",
    "distilled": "distilled images",
    "nystrom": "Nyström landmarks",
    "pseudo": "pseudo-NTK",
    "streamed": "streamed sketch",
    "local-global": "DNTK, local-global",
    "global top": "top eigenvectors",
    "last layer": "last layer only",
    "energy start": "landmarks",
    "energy tuned": "tuned to the kernel",
    "matched": "matched features, equal work",
}
FEW = 10  # distilled images per class: a twentieth of 2,000 images
SEED, IMAGES, POINTS = 1000, 2000, 100
RIDGES = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)


def image_source(parameters: DistilledParameters) -> ImageSource:
    """Return the numbers of images of a run, and its device."""
    return ImageSource(parameters.images, parameters.tests, parameters.device)


def network_cell(parameters: DistilledParameters, data: Data, seed: int) -> Cell:
    """Describe the training of a network."""
    epochs = parameters.epochs_of(data.name)
    return network.cell(data=data, seed=seed, source=image_source(parameters), epochs=epochs)


def images_cell(parameters: DistilledParameters, data: Data, seed: int, per_class: int) -> Cell:
    """Describe the distillation of images."""
    return distilled_images.cell(
        data=data,
        seed=seed,
        source=image_source(parameters),
        per_class=per_class,
        steps=parameters.distil_steps,
        network=network_cell(parameters, data, seed),
    )


def label_ridge() -> float:
    """Read the ridge of regression on labels that the search chose, for all methods and data sets."""
    return best_ridge(read_search(NOTEBOOK)["trials"])


def best_ridge(trials: Sequence[Mapping[str, Any]]) -> float:
    """Select the ridge with the best validation accuracy, mean over data sets and methods."""
    ridges = sorted({trial["ridge"] for trial in trials}, reverse=True)
    return max(ridges, key=lambda r: mean(t["validation"] for t in trials if t["ridge"] == r))


@work(cost=lambda **_: 60)
def ridge_trials(
    data: Data, seed: int, *, source: ImageSource, ridges: list[float], points: int, network: Record
) -> CellResult:
    """Try every ridge of regression on labels with every method, on validation images."""
    comparison = Comparison.open(data, seed, source, network, ridges[0], validation=True)
    labels, targets = comparison.split.test_labels, comparison.targets["labels"]
    rows = [
        {"method": m, "ridge": r, "validation": percent_equal(guess(targets, r).argmax(1), labels)}
        for m, guess in _search_methods(comparison, points)
        for r in ridges
    ]
    return CellResult({"rows": rows})


def _search_methods(comparison: Comparison, few: int) -> Iterator[tuple[str, Predict]]:
    images, tests = comparison.split.images, comparison.split.test_images
    theta, cross = comparison.kernel(images), comparison.kernel(tests, images)
    yield "exact", lambda y, r: predict_per_class(cross, fit_per_class(theta, y, r))
    part, own, seen = theta[:, :, :few], theta[:, :few, :few], cross[:, :, :few]
    yield "random", lambda y, r: predict_per_class(seen, fit_per_class(own, y[:few], r))
    yield "nystrom", lambda y, r: predict_per_class(seen, fit_nystrom(part, own, y, r))
    half = images[: len(images) // 2]
    sums = comparison.kernel(half, kind="pseudo")
    sums_of_tests = comparison.kernel(tests, half, kind="pseudo")
    yield "pseudo", lambda y, r: shared(sums, sums_of_tests, y[: len(half)], r)
    features, own_features = last_inputs(comparison.model, images), last_inputs(comparison.model, tests)
    yield "last layer", lambda y, r: shared(features @ features.T, own_features @ features.T, y, r)


def conduct(data: Mapping[str, Data], run: RunCells) -> dict[str, Any]:
    """Run the same ridges with every method, on validation images of a seed that is not reported."""
    parameters = DistilledParameters(images=IMAGES)
    cells = [
        ridge_trials.cell(
            data=each,
            seed=SEED,
            source=image_source(parameters),
            ridges=RIDGES,
            points=POINTS,
            network=network_cell(parameters, each, SEED),
        )
        for each in data.values()
    ]
    pairs = zip(data, run(cells), strict=True)
    trials = [{"data": name, **row} for name, record in pairs for row in record.values["rows"]]
    budget = {"ridges": list(RIDGES), "seed": SEED, "images": IMAGES, "points": POINTS}
    return {"budget": budget, "trials": trials}


SEARCHES = (Search(NOTEBOOK, ("mnist", "cifar-10"), conduct),)
