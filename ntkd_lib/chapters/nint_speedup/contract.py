"""The contract's metrics of the paper's size, for runs that are large enough for them (tier paper)."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean
from typing import Any

from ntkd_lib.chapters.nint_speedup.full import NETWORKS, OTHER_STEPS, STEPS, full_size
from ntkd_lib.chapters.nint_speedup.plan import SOUNDS, other_seeds
from ntkd_lib.chapters.nint_speedup.small import IMAGES
from ntkd_lib.chapters.nint_speedup.summary import metric, race_records
from ntkd_lib.chapters.run import Run
from ntkd_lib.inr.metrics import crossing, value_at
from ntkd_lib.lab.cells import Record
from ntkd_lib.lab.evidence import Metric

DECIBELS = (30.0, 35.0)
ARCHITECTURE_DECIBELS = (25.0,)
AT_1000 = ("nint", "full", "uniform", "expansive", "error_mix")
Curves = dict[str, dict[str, list[Any]]]


def metrics(run: Run) -> dict[str, Metric]:
    """Compute the contract's metrics on images, sound and shape; none of a smaller run."""
    if not full_size(run.parameters):
        return {}
    records = {pair: r for pair, r in race_records(run).items() if pair[0] in IMAGES}
    groups = {s: [r for (_, seed), r in records.items() if seed == s] for s in run.parameters.all_seeds}
    found = {f"nint.image.{m}.psnr_1000": _quality(groups, m, 1000) for m in AT_1000}
    found |= {f"nint.image.{m}.psnr_5000": _quality(groups, m, STEPS) for m in ("nint", "full")}
    for axis, name in ((_clock(run), "time"), ("step", "iteration")):
        savings = {s: saving([r.values["curves"] for r in group], axis) for s, group in groups.items()}
        if None not in savings.values():
            found[f"nint.image.nint.{name}_saving_max"] = metric(savings, records)
    return found | _crops(run) | _architectures(run, groups) | _others(run)


def _clock(run: Run) -> str:
    return "cpu" if run.parameters.device == "cpu" else "wall"


def _crops(run: Run) -> dict[str, Metric]:
    """Compare NINT and uniform sampling on central crops, mean over images."""
    records = {
        (name, seed): run.records[f"crop/{name}/crop/seed={seed}"]
        for name in IMAGES
        for seed in run.parameters.all_seeds
    }
    values = {
        seed: mean(_gain(records[name, seed].values["curves"]) for name in IMAGES)
        for seed in run.parameters.all_seeds
    }
    return {"nint.crop256.nint.gain_over_uniform_1000": metric(values, records)}


def _gain(curves: Curves) -> float:
    found = {m: value_at(curves[m]["quality"], curves[m]["step"], OTHER_STEPS) for m in ("nint", "uniform")}
    return found["nint"] - found["uniform"]


def _architectures(run: Run, siren: dict[int, list[Record]]) -> dict[str, Metric]:
    """Find the smallest saving of three networks; nothing where one misses the target."""
    records = {
        (name, seed): [run.records[f"arch/{name}/{network}/seed={seed}"] for network in NETWORKS]
        for name in IMAGES
        for seed in siren
    }
    values = {}
    for seed, group in siren.items():
        lines = [group, *zip(*(records[name, seed] for name in IMAGES), strict=True)]
        savings = [
            saving([r.values["curves"] for r in line], _clock(run), ARCHITECTURE_DECIBELS) for line in lines
        ]
        if None in savings:
            return {}
        values[seed] = min(savings)
    used = {(str(s), i): r for s, group in siren.items() for i, r in enumerate(group)}
    used |= {(f"{n}/{s}", i): r for (n, s), pair in records.items() for i, r in enumerate(pair)}
    return {"nint.arch.time_saving_min": metric(values, used)}


def _quality(groups: dict[int, list[Record]], method: str, step: int) -> Metric:
    values = {
        s: mean(value_at(c["quality"], c["step"], step) for c in (r.values["curves"][method] for r in group))
        for s, group in groups.items()
    }
    return metric(values, {(str(s), i): r for s, group in groups.items() for i, r in enumerate(group)})


def saving(races: Sequence[Curves], axis: str, targets: Sequence[float] = DECIBELS) -> float | None:
    """Compute the largest of the savings to some targets, ``100 (1 - t_NINT / t_full)``."""
    found = []
    for target in targets:
        places = [
            [crossing(race[m]["quality"], race[m][axis], target) for race in races] for m in ("nint", "full")
        ]
        if all(place is not None for line in places for place in line):
            nint, full = (mean(line) for line in places)
            found.append(100 * (1 - nint / full))
    return max(found, default=None)


def _others(run: Run) -> dict[str, Metric]:
    """Collect sound (mean over clips) and shape at the time when full batch has done its steps."""
    signals = {"audio": (SOUNDS, "snr"), "shape": (("bunny-small",), "iou")}
    found = {}
    for kind, (names, unit) in signals.items():
        records = {
            (name, seed): run.records[f"other/{name}/equal-time/seed={seed}"]
            for name in names
            for seed in other_seeds(run.parameters)
        }
        for method in ("nint", "full"):
            values = {
                seed: mean(_at_full(records[name, seed], method) for name in names)
                for seed in other_seeds(run.parameters)
            }
            found[f"nint.{kind}.{method}.{unit}_equal_time"] = metric(values, records)
    return found


def _at_full(record: Record, method: str) -> float:
    found, full = (record.values["curves"][name] for name in (method, "full"))
    return value_at(found["quality"], found["cpu"], full["cpu"][-1])
