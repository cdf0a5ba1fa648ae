"""Cells with the exact kernel of all training images."""

from collections.abc import Mapping
from typing import Any

from ntkd_lib.chapters.distilled_ntk.bench import Bench
from ntkd_lib.dntk.regression import fit_per_class, predict_per_class
from ntkd_lib.lab.cells import CellResult, Record

OTHER_RIDGE = 10.0


def exact(arguments: Mapping[str, Any], needs: Mapping[str, Record]) -> CellResult:
    """Run kernel regression on all training images.

    Args:
        arguments: What `prepare` takes.

    Returns:
        Rows of `Scores`; ``noise``: the share of test images on which a ridge ten times larger decides
        alike, by target, percent.
    """
    bench = Bench.open(arguments, needs["network"])
    theta, cross = bench.regress("exact", bench.setting.images, bench.targets)
    noise = {}
    for name, values in bench.targets.items():
        guess = predict_per_class(
            cross, fit_per_class(theta, values, OTHER_RIDGE * bench.ridges[name])
        ).argmax(1)
        known = bench.scores.guesses[f"exact/{len(values)}/{name}"]
        noise[name] = 100 * float((guess.cpu().numpy() == known).mean())
    return bench.scores.result(noise=noise)
