"""The contract's metrics of the paper's size that no protocol records, and the races that they need."""

from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Any

import pandas as pd

from ntkd_lib.chapters.nint.methods import entrant, finished_races, race_cell
from ntkd_lib.chapters.nint.parameters import NintParameters
from ntkd_lib.chapters.nint.work import NetworkShape, Subject
from ntkd_lib.chapters.run import Run
from ntkd_lib.inr.metrics import crossing, value_at
from ntkd_lib.lab import Cell, Data, Metric, metric

IMAGES = ("div2k-512-01", "div2k-512-02", "div2k-512-03")
SIDE, WIDTH, STEPS, OTHER_STEPS, CROP = 512, 256, 5000, 1000, 256
NETWORKS = {"ffn": 2e-3, "wire": 2e-3}  # beside SIREN; the paper's rates for them are not known
DECIBELS = 25.0  # of the claim on architectures
Curves = Mapping[str, Mapping[str, list[Any]]]


def is_full_size(p: NintParameters) -> bool:
    """Check for the size that the contract requires of `image`."""
    return (p.side, p.width) == (SIDE, WIDTH) and p.steps >= STEPS and p.side_steps >= OTHER_STEPS


def cells(p: NintParameters, signals: Data) -> list[Cell]:
    """Describe the races on crops and with other architectures; none of a smaller run."""
    if not is_full_size(p):
        return []
    crops = ("crops", "crop", CROP, "siren", OTHER_STEPS, [entrant(m) for m in ("nint", "uniform")])
    networks = [
        ("architectures", "image", SIDE, name, p.steps, [entrant(m, lr) for m in ("nint", "full")])
        for name, lr in NETWORKS.items()
    ]
    return [
        race_cell(p, study, signals, Subject(kind, side, image), seed, entrants, network=shape, steps=steps)
        for seed in p.all_seeds
        for image in IMAGES
        for study, kind, side, network, steps, entrants in (crops, *networks)
        for shape in [NetworkShape(network, WIDTH)]
    ]


def metrics(run: Run) -> dict[str, Metric]:
    """Compute the contract's metrics of this size that no protocol records; none of a smaller run."""
    if not is_full_size(run.parameters):
        return {}
    images = finished_races(run, study="race").query("subject in @IMAGES")
    crops = finished_races(run, study="crops")
    gains = [_level(c, "nint", OTHER_STEPS) - _level(c, "uniform", OTHER_STEPS) for c in crops["curves"]]
    ends = {m: images.assign(end=[_level(c, m, STEPS) for c in images["curves"]]) for m in ("nint", "full")}
    levels = {f"nint.image.{method}.psnr_5000": metric(rows, "end") for method, rows in ends.items()}
    levels["nint.crop256.nint.gain_over_uniform_1000"] = metric(crops.assign(gain=gains), "gain")
    networks = pd.concat([images, finished_races(run, study="architectures")])
    clock = "cpu" if run.parameters.device == "cpu" else "wall"
    return levels | _least_saving(networks, "nint.arch.time_saving_min", clock)


def _level(curves: Curves, method: str, step: int) -> float:
    return value_at(curves[method]["quality"], curves[method]["step"], step)


def _least_saving(races: pd.DataFrame, name: str, axis: str) -> dict[str, Metric]:
    """Compute the smallest saving of the networks, seed by seed; none if one misses the target."""
    groups = {key: list(part["curves"]) for key, part in races.groupby(["seed", "network"], sort=False)}
    saved = {key: saving(group, axis) for key, group in groups.items()}
    if None in saved.values():
        return {}
    least = {seed: min(value for (own, _), value in saved.items() if own == seed) for seed, _ in saved}
    return {name: metric(races.assign(saving=races["seed"].map(least)), "saving")}


def saving(races: Sequence[Curves], axis: str) -> float | None:
    """Compute the saving ``100 (1 - t_NINT / t_full)`` of means to 25 dB; None if a race misses them."""
    places = {
        m: [crossing(race_[m]["quality"], race_[m][axis], DECIBELS) for race_ in races]
        for m in ("nint", "full")
    }
    missed = any(None in each for each in places.values())
    return None if missed else 100 * (1 - mean(places["nint"]) / mean(places["full"]))
