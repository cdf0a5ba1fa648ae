"""Equally tuned samplers at equal CPU time, on photographs, sound and a shape: trials, the choice, the race.

Every arm has as many trials of learning rate, share and decay as any other, on tuning seeds of their own; the
best mean quality wins, the first of equals. All arms of a signal and a start share initial weights and get
the CPU seconds that full batch takes for its steps; the learning rate falls with those seconds.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from statistics import mean
from typing import Any

from ntkd_lib.chapters.nint.methods import LABELS, finished_races, in_order
from ntkd_lib.chapters.nint.work import Entrant, NetworkShape, Subject, mesh, race
from ntkd_lib.chapters.run import Run
from ntkd_lib.inr.metrics import value_at
from ntkd_lib.lab import Arm, Cell, Data, NoNumberError, Record
from ntkd_lib.lab.trials import choose, trial_name, trials

Parameters = Mapping[str, Any]
PACE, FIRST = "pace", 1000  # leader, first tuning seed
SPACE = "nint.{}_tuning"  # of the trials' metrics, of a contest


def _photograph(p: Parameters, seed: int) -> list[Subject]:
    """Take the photograph of a class: of the training part for a tuning seed."""
    name = f"train/{seed - FIRST}" if seed >= FIRST else f"test/{seed}"
    return [Subject("photograph", p["side"], name)]


@dataclass(frozen=True)
class Field:
    """The signals of a contest, and what is measured on them at equal time."""

    data: str
    measure: str
    subjects: Callable[[Parameters, int], list[Subject]]  # of a seed, which is judged by their mean


FIELDS: Mapping[str, Field] = {
    "small10": Field("imagenette", "psnr", _photograph),
    "steady10": Field("imagenette", "psnr", _photograph),
    "audio": Field("signals", "snr", lambda p, _: [Subject("sound", p["samples"], n) for n in p["clips"]]),
    "shape48": Field("signals", "iou", lambda p, _: [Subject("mesh", p["side"], p["mesh"])]),
}


def tuning_arms(field: str, parameters: Parameters, seed: int, sha256: str) -> dict[str, Arm]:
    """Race all trials of an arm, arm by arm, on the signals of a tuning seed."""
    arms: dict[str, Arm] = {}
    for arm, axes in parameters["trials"].items():
        tried = {trial_name(f"{SPACE.format(field)}.{arm}", own): own for own in trials(axes)}
        entrants = [_entrant(name, arm, own) for name, own in tried.items()]
        cells = _races(field, parameters, seed, sha256, [seed], entrants)
        arms |= {name: Arm(cells, partial(_mean_end, name)) for name in tried}
    return arms


def confirmed_arms(field: str, parameters: Parameters, seed: int, sha256: str) -> dict[str, Arm]:
    """Race every arm at its chosen settings on the signals of a seed, from one or more starts."""
    chosen = {arm: choose(parameters["tuning"], SPACE.format(field), arm) for arm in parameters["arms"]}
    entrants = [_entrant(arm, arm, own) for arm, own in chosen.items()]
    starts = [parameters["starts"] * seed + start for start in range(parameters["starts"])]
    cells = _races(field, parameters, seed, sha256, starts, entrants)
    return {metric_name(field, arm): Arm(cells, partial(_mean_end, arm)) for arm in chosen}


def metric_name(field: str, arm: str) -> str:
    """Name the metric of an arm's quality in a contest."""
    return f"nint.{field}.{arm}.{FIELDS[field].measure}_equal_time"


def _entrant(name: str, arm: str, own: Mapping[str, float]) -> Entrant:
    """Describe an arm, a sampler's name and `_muon` where Muon trains the hidden layers."""
    settings = {"share": 1.0, **own}
    return Entrant(name, arm.removesuffix("_muon"), {}, **settings, muon=arm.endswith("_muon"))


def _races(
    field: str, p: Parameters, seed: int, sha256: str, starts: list[int], entrants: list[Entrant]
) -> tuple[Cell, ...]:
    data = Data(FIELDS[field].data, sha256)
    pace = _entrant(PACE, "full", {"lr": p["pace_lr"]})
    return tuple(
        race.cell(
            {"study": field},
            data=data,
            subject=subject,
            seed=start,
            network=NetworkShape("siren", p["width"]),
            entrants=[pace, *entrants],
            steps=p["steps"],
            every=p["every"],
            leader=PACE,
            signal=sampled,
        )
        for subject in FIELDS[field].subjects(p, seed)
        for sampled in [
            mesh.cell(data=data, name=subject.name, side=subject.size) if subject.kind == "mesh" else None
        ]
        for start in starts
    )


def each_curve(run: Run, study: str) -> Iterator[tuple[Any, Mapping[str, Any], dict[str, object]]]:
    """List races and their curves, with the columns that tables name a curve by."""
    for row in finished_races(run, study=study).itertuples():
        for method, curve in in_order(row.curves):
            yield row, curve, {"method": method, "label": LABELS[method], "image": row.subject}


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
