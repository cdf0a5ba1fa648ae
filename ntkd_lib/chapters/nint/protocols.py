"""The recorded protocols of notebook 07: races on small images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import mean
from typing import Any

from ntkd_lib.chapters.nint import NOTEBOOK
from ntkd_lib.chapters.nint.methods import entrant, tuned
from ntkd_lib.chapters.nint.studies.leverage import leverage
from ntkd_lib.chapters.nint.work import Entrant, NetworkShape, Subject, race
from ntkd_lib.inr.metrics import value_at
from ntkd_lib.lab.cells import Cell, Record
from ntkd_lib.lab.protocols import Arm, Protocol
from ntkd_lib.lab.work import Data

SMALL = {"side": 128, "steps": 1000, "every": 50, "look": 400}
SMALL_NETWORK = NetworkShape("siren", 64)
FIXED = ("nint", "error_mix", "released")
TIMED = ("nint", "uniform", "error_memory")
SHARES = ("xi5", "xi6", "xi8")  # beside NINT's own 0.7


def small_arms(parameters: Mapping[str, Any], seed: int, sha256: str) -> dict[str, Arm]:
    """Race samplers for equal steps and for equal time, and measure leverage and the mixing share."""
    if different := [name for name, size in SMALL.items() if parameters[name] != size]:
        raise ValueError(f"{different[0]} = {parameters[different[0]]}; allowed: {SMALL[different[0]]}")
    signals = Data("signals", sha256)
    subjects = [Subject("image", parameters["side"], name) for name in parameters["images"]]
    fixed, shares, timed = (
        tuple(_small_race(signals, subject, seed, entrants, leader) for subject in subjects)
        for entrants, leader in (
            ([entrant(name) for name in FIXED], None),
            ([entrant(name) for name in SHARES], None),
            ([entrant(name, **tuned(name)) for name in TIMED], "nint"),
        )
    )
    looks = tuple(
        leverage.cell(
            data=signals, subject=subject, seed=seed, network=SMALL_NETWORK, looks=[0, 50, parameters["look"]]
        )
        for subject in subjects
    )
    return (
        {f"nint.small.{name}.psnr_1000": Arm(fixed, _mean(_last, name)) for name in FIXED}
        | {f"nint.small.{name}.psnr_equal_time": Arm(timed, _mean(_equal_time, name)) for name in TIMED}
        | {
            "nint.small.leverage_ratio": Arm(looks, _leverage),
            "nint.small.xi_range": Arm((*fixed, *shares), _range),
        }
    )


def _small_race(
    signals: Data, subject: Subject, seed: int, entrants: Sequence[Entrant], leader: str | None
) -> Cell:
    return race.cell(
        data=signals,
        subject=subject,
        seed=seed,
        network=SMALL_NETWORK,
        entrants=entrants,
        steps=SMALL["steps"],
        every=SMALL["every"],
        leader=leader,
    )


def _mean(read: Callable[[Record, str], float], name: str) -> Callable[..., float]:
    return lambda *records: mean(read(record, name) for record in records)


def _last(record: Record, name: str) -> float:
    return record.values["curves"][name]["quality"][-1]


def _equal_time(record: Record, name: str) -> float:
    """Read a curve at the CPU seconds that NINT took for all its steps."""
    curve, leader = (record.values["curves"][which] for which in (name, "nint"))
    return value_at(curve["quality"], curve["cpu"], leader["cpu"][-1])


def _leverage(*records: Record) -> float:
    return mean(record.values["looks"][-1]["ratio"] for record in records)


def _range(*records: Record) -> float:
    """Compute the range of final quality over the shares of NINT's score."""
    half = len(records) // 2
    groups = {"nint": records[:half]} | dict.fromkeys(SHARES, records[half:])
    levels = [mean(_last(record, name) for record in group) for name, group in groups.items()]
    return max(levels) - min(levels)


PROTOCOLS = (Protocol("small", NOTEBOOK, "signals", small_arms, NOTEBOOK),)
