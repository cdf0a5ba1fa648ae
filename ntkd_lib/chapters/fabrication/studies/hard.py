"""Recorded devices of the usual strength, and of one at which labels recover what they did on the paper's.

A device's number fixes the draws of its errors, its strength scales them. On the tuning student's devices
every trial of fine-tuning on labels is run at every strength; the strength is that at which the best trial
comes closest to what labels recover on the paper's device. Every other way trains at that trial's learning
rate and weight decay, and has as many trials of its own. No trial reads a test image.
"""

from collections.abc import Callable, Mapping
from functools import partial
from statistics import mean
from typing import Any

import pandas as pd

from ntkd_lib.chapters.fabrication import NOTEBOOK, methods
from ntkd_lib.chapters.fabrication.parameters import FabricationParameters
from ntkd_lib.chapters.fabrication.work import NONE, Recovery
from ntkd_lib.lab import Arm, Cell, Data, Record, load_claims, load_parameters
from ntkd_lib.lab.trials import choose, recorded_trials, trial_name, trials
from ntkd_lib.show import Column, Contest, contest

Settings = Mapping[str, Any]
LABELS = "e2e_ft"
WAY = "Way to recover"
TRIALS, SCORES = contest.trial_columns(WAY, "Validation", "%"), contest.score_columns(WAY, "labels", "%")
PAIRS = (("ntkd_ft", LABELS), ("ntkd_ft", "kd_ft"), ("kd_ft", LABELS))
GAPS = (Column("Captures", "{captures}"), *contest.GAPS)
STRENGTHS = (
    Column("Error strength", lambda row: f"{100 * row.strength:g} %"),
    Column("Best trial of labels", "{settings}"),
    Column("Validation", "{validation:.2f} %"),
)


def metric_name(way: str, captures: int | None = None, group: str = "hard") -> str:
    """Name the metric of a way's mean test accuracy, with fewer captures if a number is given."""
    return f"ntkd.fab.mnist.{group}.{way}.{f'captures_{captures}.' if captures else ''}accuracy"


def usual_arms(parameters: Settings, seed: int, sha256: str) -> dict[str, Arm]:
    """Recover a student's device as the page does, and compare what its soft-label twin loses."""
    p, data = load_parameters(FabricationParameters, NOTEBOOK, "cpu", parameters), Data("mnist", sha256)
    ways = {name: methods.recovery(p, name, methods.WAYS.settings(name)) for name in methods.WAYS.methods}
    made = {name: methods.device_cell(p, data, name, seed, own) for name, own in (("ntkd", ways), ("kd", {}))}
    shown = {way: way for way in (NONE, *ways)} | {"ntkd_ft": methods.WAYS.chosen_form()}
    arms = {
        f"ntkd.fab.mnist.{name}.accuracy": Arm(
            (made["ntkd"],), partial(mean_of, way, "accuracy"), partial(all_converged, way)
        )
        for name, way in shown.items()
    }
    return arms | {
        f"ntkd.fab.mnist.{name}.drop": Arm((methods.student_cell(p, data, name, seed), cell), _drop)
        for name, cell in made.items()
    }


def _drop(student: Record, device: Record) -> float:
    return student.values["accuracy"] - mean_of(NONE, "accuracy", device)


def strength_arms(parameters: Settings, seed: int, sha256: str) -> dict[str, Arm]:
    """Run all trials of labels at every strength on the tuning devices."""
    arms: dict[str, Arm] = {}
    for strength in parameters["strengths"]:
        arms |= _trial_arms(parameters, seed, sha256, strength, _space(parameters, strength), {})
    return arms


def tuning_arms(parameters: Settings, seed: int, sha256: str) -> dict[str, Arm]:
    """Run all trials of every way at the chosen strength, at the speed of labels' best trial."""
    strength, speed = calibrated(parameters)
    return _trial_arms(parameters, seed, sha256, strength, _space(parameters), speed)


def confirmed_arms(parameters: Settings, seed: int, sha256: str) -> dict[str, Arm]:
    """Recover a student's devices in every chosen way, with all captures and with few."""
    strength, speed = calibrated(parameters)
    p = _run(parameters)
    ways = {
        way: _recovery(p, way, {**speed, **choose(protocols, _space(parameters), way)})
        for way, protocols in parameters["arms"].items()
    }
    arms: dict[str, Arm] = {}
    for captures in (None, *parameters["few_captures"]):
        cells = _devices(parameters, seed, sha256, ways, strength=strength, captures=captures)
        for way in (NONE, *ways):
            read = partial(mean_of, way, "accuracy")
            name = metric_name(way, captures, _group(parameters))
            arms[name] = Arm(cells, read, partial(all_converged, way))
    return arms


def calibrated(parameters: Settings) -> tuple[float, dict[str, Any]]:
    """Choose the strength at which labels recover what is registered, and their best settings there."""
    best = best_trials(parameters["strength_of"], complete=True)
    strength = min(best, key=lambda each: abs(best[each][1] - parameters["labels_recover"]))
    return strength, best[strength][0]


def best_trials(protocol: str, *, complete: bool = False) -> dict[float, tuple[dict[str, Any], float]]:
    """Read the best trial of labels at each strength and its mean validation accuracy."""
    best, parameters = {}, load_claims().protocols[protocol].parameters
    for strength in parameters["strengths"]:
        space = _space(parameters, strength)
        if complete:
            choose([protocol], space, LABELS)
        tried = recorded_trials([protocol], space, LABELS)
        for settings, metric in sorted(tried, key=lambda trial: -mean(trial[1].values))[:1]:
            best[strength] = settings, mean(metric.values)
    return best


def _group(parameters: Settings) -> str:
    return parameters.get("group", "hard")


def _space(parameters: Settings, strength: float | None = None) -> str:
    return f"ntkd.fab.mnist.{_group(parameters)}_tuning" + (f".strength_{strength}" if strength else "")


def _trial_arms(
    parameters: Settings, seed: int, sha256: str, strength: float, space: str, speed: Settings
) -> dict[str, Arm]:
    p = _run(parameters)
    devices = partial(_devices, parameters, seed, sha256, strength=strength, tested=False)
    return trial_arms(
        space, parameters["trials"], lambda way, own: _recovery(p, way, {**speed, **own}), devices
    )


def trial_arms(
    space: str,
    tried: Mapping[str, Mapping[str, Any]],
    recover: Callable[[str, Settings], Recovery],
    devices: Callable[[Mapping[str, Recovery]], tuple[Cell, ...]],
) -> dict[str, Arm]:
    """Run the trials of each way on the tuning devices, those of a way in one cell per device."""
    arms: dict[str, Arm] = {}
    for way, axes in tried.items():
        ways = {trial_name(way, own): recover(way, own) for own in trials(axes)}
        cells = devices(ways)
        arms |= {f"{space}.{name}": Arm(cells, partial(mean_of, name, "validation")) for name in ways}
    return arms


def _run(parameters: Settings) -> FabricationParameters:
    return load_parameters(FabricationParameters, NOTEBOOK, "cpu", parameters["run"])


def _recovery(p: FabricationParameters, way: str, own: Settings) -> Recovery:
    """Describe a way with settings; `ntkd_ft` names its form among them."""
    name = f"ntkd_{own['form']}_ft" if "form" in own else way
    return methods.recovery(p, name, {key: value for key, value in own.items() if key != "form"})


def _devices(
    parameters: Settings, seed: int, sha256: str, ways: Mapping[str, Recovery], **changes: Any
) -> tuple[Cell, ...]:
    """Describe the devices of the NTKD student of a seed."""
    p, data = _run(parameters), Data("mnist", sha256)
    numbers = range(parameters["devices"])
    return tuple(methods.device_cell(p, data, "ntkd", seed, ways, number=n, **changes) for n in numbers)


def mean_of(way: str, score: str, *devices: Record) -> float:
    """Average a way's score over devices."""
    return mean(device.values["recoveries"][way][score] for device in devices)


def all_converged(way: str, *devices: Record) -> bool | None:
    """Tell whether a way reached a plateau on all devices; None if nothing was trained."""
    plateaus = [device.values["recoveries"][way].get("converged") for device in devices]
    return None if None in plateaus else all(plateaus)


def contest_of(captures: int | None = None, protocol: str = "hard mnist") -> Contest:
    """Describe the contest of a protocol with all captures, or with few."""
    labels = {way: methods.LABELS[way] for way in (LABELS, "kd_ft", "ntkd_ft")}
    parameters = load_claims().protocols[protocol].parameters
    metric = metric_name("{}", captures, _group(parameters))
    return Contest(_space(parameters), labels, [protocol], metric, base=LABELS)


def gaps() -> pd.DataFrame:
    """Compare the ways student by student, with all captures and with few."""
    parameters = load_claims().protocols["hard mnist"].parameters
    counts = {None: parameters["run"]["captures"], **{few: few for few in parameters["few_captures"]}}
    return pd.concat([contest_of(few).gaps(PAIRS).assign(captures=count) for few, count in counts.items()])


def strengths() -> pd.DataFrame:
    """List the best trial of labels at each strength."""
    return pd.DataFrame(
        {"strength": strength, "validation": accuracy, "settings": contest.in_words(settings)}
        for strength, (settings, accuracy) in best_trials("hard mnist strengths").items()
    )


PARTS = {" strengths": strength_arms, " tuning": tuning_arms, "": confirmed_arms}  # of a contest's protocols
