"""The recorded protocols of notebook 07: races on small images, and on images of the paper's size."""

from collections.abc import Callable, Mapping
from functools import partial
from statistics import mean
from typing import Any

from ntkd_lib.chapters.nint import NOTEBOOK
from ntkd_lib.chapters.nint.methods import entrant, race_cell, tuned
from ntkd_lib.chapters.nint.parameters import NintParameters
from ntkd_lib.chapters.nint.studies import contests, leverage
from ntkd_lib.chapters.nint.work import NetworkShape, Subject, race
from ntkd_lib.inr.metrics import crossing, value_at
from ntkd_lib.lab import Arm, Cell, Data, NoNumberError, Point, Protocol, Record, check_fixed

SMALL = {"side": 128, "steps": 1000, "every": 50, "look": leverage.LOOKS[-1]}
WIDTH = 64  # of the small networks
FIXED = ("nint", "error_mix", "released")
TIMED = ("nint", "uniform", "error_memory")
SAVINGS = (  # metric, sampler that NINT is compared with, axis, parameter: else what both have at step 1,000
    ("time_saving_30", "full", "cpu", "target"),
    ("iteration_saving_30", "full", "step", "target"),
    ("time_saving_30_over_uniform", "uniform", "cpu", "target"),
    ("time_saving_common", "full", "cpu", ""),
    ("iteration_saving_common", "full", "step", ""),
)
PART = 200  # steps of a part of a race at the paper's size, a multiple of those between evaluations
AXES = ("cpu", "step")  # of recorded curves of PSNR, metrics `nint.image5.<sampler>.by_<axis>`
SHARES = ("xi5", "xi6", "xi8")  # beside NINT's own 0.7


def small_arms(parameters: Mapping[str, Any], seed: int, sha256: str) -> dict[str, Arm]:
    """Race samplers for equal steps and for equal time, and measure leverage and the mixing share."""
    check_fixed(parameters, SMALL)
    signals, images, steps = Data("signals", sha256), parameters["images"], parameters["steps"]
    sizes = {name: parameters[name] for name in ("side", "every")}
    p = NintParameters(seed=seed, width=WIDTH, side_steps=steps, **sizes)
    fixed, shares, timed = (
        tuple(race_cell(p, "small", signals, name, seed, entrants, leader=leader) for name in images)
        for entrants, leader in (
            ([entrant(name) for name in FIXED], None),
            ([entrant(name) for name in SHARES], None),
            ([entrant(name, **tuned(name)) for name in TIMED], "nint"),
        )
    )
    looks = tuple(leverage.cells(p, signals, images))
    return (
        {f"nint.small.{name}.psnr_1000": Arm(fixed, _mean(_last, name)) for name in FIXED}
        | {
            f"nint.small.{name}.psnr_equal_time": Arm(
                timed, _mean(partial(contests.quality_at, leader="nint"), name)
            )
            for name in TIMED
        }
        | {
            "nint.small.leverage_ratio": Arm(
                looks, lambda *records: mean(r.values["looks"][-1]["ratio"] for r in records)
            ),
            "nint.small.xi_range": Arm((*fixed, *shares), _range),
        }
    )


def _mean(read: Callable[[Record, str], float], name: str) -> Callable[..., float]:
    return lambda *records: mean(read(record, name) for record in records)


def _last(record: Record, name: str) -> float:
    return record.values["curves"][name]["quality"][-1]


def _range(*records: Record) -> float:
    """Compute the range of final quality over the shares of NINT's score."""
    half = len(records) // 2
    groups = {"nint": records[:half]} | dict.fromkeys(SHARES, records[half:])
    levels = [mean(_last(record, name) for record in group) for name, group in groups.items()]
    return max(levels) - min(levels)


def paper_size_arms(parameters: Mapping[str, Any], seed: int, sha256: str) -> dict[str, Arm]:
    """Race samplers at the paper's size on the image of the seed; the races of the claims run first."""
    p, arms = parameters, dict[str, Arm]()
    race_of = partial(
        race.cell,
        data=Data("signals", sha256),
        subject=Subject("crop", p["side"], p["images"][seed]),
        seed=seed,
        network=NetworkShape("siren", p["width"], p["hidden"]),
        **{name: p[name] for name in ("every", "device")},
    )
    for rank, part in enumerate(("claims", "others")):
        for names in p["races"][part]:
            entrants = [entrant(name, p["lr"], p["share"]) for name in names]
            arm = partial(Arm, _in_parts(partial(race_of, entrants=entrants), p["steps"]), rank=rank)
            arms |= {f"nint.image5.{n}.psnr_1000": arm(partial(_level, n, 1000)) for n in names}
            arms |= {f"nint.image5.{n}.by_{x}": arm(partial(_curve, n, x)) for n in names for x in AXES}
            if {"nint", "full", "uniform"} <= set(names):
                for metric, other, axis, target in SAVINGS:
                    arms[f"nint.image5.nint.{metric}"] = arm(partial(_saving, other, axis, p.get(target)))
    return arms


def _in_parts(race_of: Callable[..., Cell], steps: int) -> tuple[Cell, ...]:
    """Cut a race into parts that each continue the one before; the last holds whole curves."""
    cells: list[Cell] = []
    for end in range(min(PART, steps), steps + PART, PART):
        earlier = cells[-1] if cells else None
        cells.append(race_of(steps=min(end, steps), earlier=earlier, state=end < steps))
    return tuple(cells)


def _curve(name: str, axis: str, *parts: Record) -> list[Point]:
    curve = parts[-1].values["curves"][name]
    return [Point(x=x, y=y) for x, y in zip(curve[axis], curve["quality"], strict=True)]


def _level(name: str, step: int, *parts: Record) -> float:
    curve = parts[-1].values["curves"][name]
    return value_at(curve["quality"], curve["step"], step)


def _saving(other: str, axis: str, target: float | None, *parts: Record) -> float:
    """Compute the saving of NINT up to a quality, by default the one that both have at 1,000 iterations."""
    target, places = target or min(_level(name, 1000, *parts) for name in ("nint", other)), {}
    for name in ("nint", other):
        curve = parts[-1].values["curves"][name]
        places[name] = crossing(curve["quality"], curve[axis], target)
        if places[name] is None:
            raise NoNumberError(f"{name} does not reach {target:g} dB in {curve['step'][-1]} steps")
    return 100 * (1 - places["nint"] / places[other])


PROTOCOLS = (
    Protocol("small", NOTEBOOK, "signals", small_arms, NOTEBOOK),
    Protocol("paper size", NOTEBOOK, "signals", paper_size_arms, "07_paper_size"),
    *(
        Protocol(f"{name}{stage}", NOTEBOOK, field.data, partial(arms, name))
        for name, field in contests.FIELDS.items()
        for stage, arms in ((" tuning", contests.tuning_arms), ("", contests.confirmed_arms))
    ),
)
