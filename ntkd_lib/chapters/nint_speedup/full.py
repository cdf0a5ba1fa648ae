"""Races that the contract asks for at the paper's size alone: central crops, and two more architectures."""

from __future__ import annotations

from ntkd_lib.chapters.nint_speedup.cells import Setup, entrant
from ntkd_lib.chapters.nint_speedup.parameters import NintParameters
from ntkd_lib.chapters.nint_speedup.small import IMAGES
from ntkd_lib.lab.cells import Cell

SIDE, WIDTH, HIDDEN, STEPS, OTHER_STEPS = 512, 256, 4, 5000, 1000
CROP = 256
# beside SIREN, whose races every run has; the paper's rates for them are not known
NETWORKS = {"ffn": 2e-3, "wire": 2e-3}


def full_size(parameters: NintParameters) -> bool:
    """Say whether a run has the size that the contract asks of `image`."""
    size = (parameters.side, parameters.width)
    return size == (SIDE, WIDTH) and parameters.steps >= STEPS and parameters.side_steps >= OTHER_STEPS


def cells(parameters: NintParameters, sha256: str) -> list[Cell]:
    """List the races on crops and with other architectures; none of a smaller run."""
    if not full_size(parameters):
        return []
    return [
        cell
        for seed in parameters.all_seeds
        for name in IMAGES
        for cell in (_crop(parameters, sha256, name, seed), *_networks(parameters, sha256, name, seed))
    ]


def _crop(parameters: NintParameters, sha256: str, name: str, seed: int) -> Cell:
    setup = _setup(parameters, sha256, "crop", "siren", OTHER_STEPS)
    subject = {"kind": "crop", "name": name, "side": CROP}
    return setup.race(subject, seed, [entrant(m) for m in ("nint", "uniform")], tag="crop")


def _networks(parameters: NintParameters, sha256: str, name: str, seed: int) -> list[Cell]:
    subject = {"kind": "image", "name": name, "side": SIDE}
    return [
        _setup(parameters, sha256, "arch", network, parameters.steps).race(
            subject, seed, [entrant(m, lr) for m in ("nint", "full")], tag=network
        )
        for network, lr in NETWORKS.items()
    ]


def _setup(parameters: NintParameters, sha256: str, name: str, network: str, steps: int) -> Setup:
    spec = {"name": network, "width": WIDTH, "hidden": HIDDEN}
    return Setup(name, spec, steps, parameters.every, sha256, parameters.device, second=0.7)
