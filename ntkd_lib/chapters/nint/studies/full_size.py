"""The contract's metrics of the paper's size, and the further races that they need."""

from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Any

import pandas as pd

from ntkd_lib.chapters.nint.methods import entrant, finished_races, race_cell
from ntkd_lib.chapters.nint.parameters import NintParameters
from ntkd_lib.chapters.nint.studies.contests import read_at
from ntkd_lib.chapters.nint.studies.signals import MESH, SOUNDS
from ntkd_lib.chapters.nint.work import NetworkShape, Subject
from ntkd_lib.chapters.run import Run
from ntkd_lib.inr.metrics import crossing, value_at
from ntkd_lib.lab import Cell, Data, Metric, metric

IMAGES = ("div2k-512-01", "div2k-512-02", "div2k-512-03")
SIDE, WIDTH, STEPS, OTHER_STEPS, CROP = 512, 256, 5000, 1000, 256
NETWORKS = {"ffn": 2e-3, "wire": 2e-3}  # beside SIREN; the paper's rates for them are not known
DECIBELS, ARCHITECTURE_DECIBELS = (30.0, 35.0), (25.0,)
AT_1000 = ("nint", "full", "uniform", "expansive", "error_mix")
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
    """Compute the contract's metrics on images, sound and shape; none of a smaller run."""
    if not is_full_size(run.parameters):
        return {}
    images = finished_races(run, study="race").query("subject in @IMAGES")
    crops = finished_races(run, study="crops")
    clock = "cpu" if run.parameters.device == "cpu" else "wall"
    levels = {f"nint.image.{m}.psnr_1000": _read(images, m, 1000) for m in AT_1000}
    levels |= {f"nint.image.{m}.psnr_5000": _read(images, m, STEPS) for m in ("nint", "full")}
    levels["nint.crop256.nint.gain_over_uniform_1000"] = metric(
        crops.assign(
            gain=[_level(c, "nint", OTHER_STEPS) - _level(c, "uniform", OTHER_STEPS) for c in crops["curves"]]
        ),
        "gain",
    )
    for axis, name in ((clock, "time"), ("step", "iteration")):
        levels |= _savings(images, f"nint.image.nint.{name}_saving_max", axis, DECIBELS)
    networks = pd.concat([images, finished_races(run, study="architectures")])
    levels |= _savings(networks, "nint.arch.time_saving_min", clock, ARCHITECTURE_DECIBELS)
    return levels | _equal_time(run)


def _level(curves: Curves, method: str, step: int) -> float:
    return value_at(curves[method]["quality"], curves[method]["step"], step)


def _read(races: pd.DataFrame, method: str, step: int) -> Metric:
    return metric(races.assign(level=[_level(c, method, step) for c in races["curves"]]), "level")


def _savings(races: pd.DataFrame, name: str, axis: str, targets: Sequence[float]) -> dict[str, Metric]:
    """Compute the smallest saving of the networks, seed by seed; none if one misses its targets."""
    groups = {key: list(part["curves"]) for key, part in races.groupby(["seed", "network"], sort=False)}
    saved = {key: saving(group, axis, targets) for key, group in groups.items()}
    if None in saved.values():
        return {}
    least = {seed: min(value for (own, _), value in saved.items() if own == seed) for seed, _ in saved}
    return {name: metric(races.assign(saving=races["seed"].map(least)), "saving")}


def saving(races: Sequence[Curves], axis: str, targets: Sequence[float] = DECIBELS) -> float | None:
    """Compute the largest saving to some targets, `100 (1 - t_NINT / t_full)`; None if all are missed."""
    saved = []
    for target in targets:
        nint, full = (
            [crossing(race_[m]["quality"], race_[m][axis], target) for race_ in races]
            for m in ("nint", "full")
        )
        if None not in (*nint, *full):
            saved.append(100 * (1 - mean(nint) / mean(full)))
    return max(saved, default=None)


def _equal_time(run: Run) -> dict[str, Metric]:
    """Read sound (mean over clips) and shape at the time when full batch has done its steps."""
    races = finished_races(run, study="signals")
    levels = {}
    for kind, subjects, unit in (("audio", SOUNDS, "snr"), ("shape", (MESH,), "iou")):
        rows = races[races["subject"].isin(subjects)]
        for method in ("nint", "full"):
            ends = [read_at(curves, method, "full") for curves in rows["curves"]]
            levels[f"nint.{kind}.{method}.{unit}_equal_time"] = metric(rows.assign(end=ends), "end")
    return levels
