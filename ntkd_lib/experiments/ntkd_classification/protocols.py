"""The recorded protocols of notebook 01."""

from collections.abc import Mapping
from typing import Any

from ntkd_lib.experiments.ntkd_classification import NOTEBOOK
from ntkd_lib.experiments.ntkd_classification.parameters import ClassificationParameters
from ntkd_lib.experiments.ntkd_colour.cells import ColourMaker
from ntkd_lib.experiments.ntkd_colour.methods import METHODS
from ntkd_lib.lab.parameters import load_parameters
from ntkd_lib.lab.protocols import Arm, Protocol

# Learning rate and weight decay that the first search gave to NTKD and to labels alone, crossed.
UNMATCHED: Mapping[str, Any] = {
    "run": {
        "colour": "cifar-10",
        "colour_images": 50_000,
        "colour_epochs": 36,
        "batch": 128,
        "colour_teacher": "compact",
        "colour_teacher_epochs": 5,
        "colour_kernel_images": 2000,
        "colour_kernel_every": 8,
        "kernel_batch": 32,
        "sketch": 2048,
        "device": "cpu",
    },
    "kernel": {"form": "normalised", "weight": 0.0951, "kernel_clip": None},
    "points": {
        "unmatched": {"lr": 1.09e-3, "weight_decay": 0.0353},
        "labels_point": {"lr": 1.4e-3, "weight_decay": 0.149},
    },
}


def unmatched_arms(seed: int, sha256: str) -> dict[str, Arm]:
    """Train labels alone and NTKD at both settings, everything else equal."""
    maker = ColourMaker(load_parameters(ClassificationParameters, NOTEBOOK, "cpu", UNMATCHED["run"]), sha256)
    kernel = {name: UNMATCHED["kernel"][name] for name in ("weight", "kernel_clip")}
    arms = {}
    for point, shared in UNMATCHED["points"].items():
        for name, own in (("none", {}), ("ntkd", kernel)):
            cell = maker.student(METHODS[name], seed, {**shared, **own}, f"/{point}")
            arms[f"ntkd.cifar10.{point}.{name}.accuracy"] = Arm((cell,))
    return arms


PROTOCOLS = (Protocol("unmatched", NOTEBOOK, "cifar-10", UNMATCHED, (0, 1, 2, 3, 4), unmatched_arms),)
