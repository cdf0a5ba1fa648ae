"""Ten photographs of 128 x 128 at equal CPU time, and ten more: trials on others, the choice, the race.

Every arm has as many trials of learning rate, share and decay as any other, on photographs of their own; the
best mean quality wins, the first of equals. All arms of a photograph and a start share initial weights and
get the CPU seconds that full batch takes for its steps; the learning rate falls with those seconds.
"""

from collections.abc import Mapping
from functools import partial
from statistics import mean
from typing import Any

from ntkd_lib.chapters.nint.work import Entrant, NetworkShape, Subject, race
from ntkd_lib.inr.metrics import value_at
from ntkd_lib.lab import Arm, Cell, Data, NoNumberError, Record
from ntkd_lib.lab.trials import choose, trial_name, trials

PACE, FIRST = "pace", 1000  # leader, first tuning seed


def tuning_arms(ten: str, parameters: Mapping[str, Any], seed: int, sha256: str) -> dict[str, Arm]:
    """Race all trials of an arm, arm by arm, on the training photograph of a tuning seed."""
    race_of = partial(_race, parameters, f"train/{seed - FIRST}", sha256, seed)
    arms: dict[str, Arm] = {}
    for arm, axes in parameters["trials"].items():
        tried = {trial_name(f"{space(ten)}.{arm}", own): own for own in trials(axes)}
        cells = (race_of([_entrant(name, arm, own) for name, own in tried.items()]),)
        arms |= {name: Arm(cells, partial(_mean_end, name)) for name in tried}
    return arms


def confirmed_arms(ten: str, parameters: Mapping[str, Any], seed: int, sha256: str) -> dict[str, Arm]:
    """Race every arm at its chosen settings on the test photograph of a seed, from several starts."""
    chosen = {arm: choose(parameters["tuning"], space(ten), arm) for arm in parameters["arms"]}
    entrants = [_entrant(arm, arm, own) for arm, own in chosen.items()]
    starts = [parameters["starts"] * seed + start for start in range(parameters["starts"])]
    cells = tuple(_race(parameters, f"test/{seed}", sha256, start, entrants) for start in starts)
    return {metric_name(ten, arm): Arm(cells, partial(_mean_end, arm)) for arm in chosen}


def space(ten: str) -> str:
    """Name what the metrics of trials for ten photographs begin with."""
    return f"nint.{ten}_tuning"


def metric_name(ten: str, arm: str) -> str:
    """Name the metric of an arm's quality on ten photographs."""
    return f"nint.{ten}.{arm}.psnr_equal_time"


def _entrant(name: str, arm: str, own: Mapping[str, float]) -> Entrant:
    """Describe an arm, a sampler's name and `_muon` where Muon trains the hidden layers."""
    settings = {"share": 1.0, **own}
    return Entrant(name, arm.removesuffix("_muon"), {}, **settings, muon=arm.endswith("_muon"))


def _race(
    parameters: Mapping[str, Any], photograph: str, sha256: str, seed: int, entrants: list[Entrant]
) -> Cell:
    pace = _entrant(PACE, "full", {"lr": parameters["pace_lr"]})
    return race.cell(
        {"study": "small10"},
        data=Data("imagenette", sha256),
        subject=Subject("photograph", parameters["side"], photograph),
        seed=seed,
        network=NetworkShape("siren", parameters["width"]),
        entrants=[pace, *entrants],
        steps=parameters["steps"],
        every=parameters["every"],
        leader=PACE,
    )


def quality_at(record: Record, name: str, leader: str) -> float:
    """Read a sampler's quality at the CPU seconds that a race's leader took for all its steps."""
    curves = record.values["curves"]
    for stopped in (curves[name]["stopped"], curves[leader]["stopped"]):
        if stopped:
            raise NoNumberError(f"{name}: {stopped}")
    return read_at(curves, name, leader)


def read_at(curves: Mapping[str, Any], name: str, leader: str) -> float:
    """Read one of a race's curves at the CPU seconds at which another ends."""
    return value_at(curves[name]["quality"], curves[name]["cpu"], curves[leader]["cpu"][-1])


def _mean_end(name: str, *races: Record) -> float:
    return mean(quality_at(each, name, PACE) for each in races)
