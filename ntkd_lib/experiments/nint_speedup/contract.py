"""The contract's metrics of the paper's size, for runs that are large enough for them (tier paper)."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean
from typing import Any

from ntkd_lib.experiments.nint_speedup.plan import SOUNDS, other_seeds
from ntkd_lib.experiments.nint_speedup.small import IMAGES
from ntkd_lib.experiments.nint_speedup.summary import metric, race_records
from ntkd_lib.experiments.notebook import Run
from ntkd_lib.inr.metrics import crossing, value_at
from ntkd_lib.records.cells import Record
from ntkd_lib.records.evidence import Metric

SIDE, WIDTH, STEPS, OTHER_STEPS = 512, 256, 5000, 1000
DECIBELS = (30.0, 35.0)
AT_1000 = ("nint", "full", "uniform", "expansive", "error_mix")
Curves = dict[str, dict[str, list[Any]]]


def full_size(run: Run) -> bool:
    """Say whether a run has the size that the contract asks of `image`.

    Args:
        run: The run.

    Returns:
        Whether it has.
    """
    p = run.parameters
    return (p.side, p.width) == (SIDE, WIDTH) and p.steps >= STEPS and p.side_steps >= OTHER_STEPS


def metrics(run: Run) -> dict[str, Metric]:
    """Compute the contract's metrics on images, sound and shape; none of a smaller run.

    Args:
        run: The run.

    Returns:
        Metric by name.
    """
    if not full_size(run):
        return {}
    records = {pair: r for pair, r in race_records(run).items() if pair[0] in IMAGES}
    groups = {s: [r for (_, seed), r in records.items() if seed == s] for s in run.parameters.all_seeds}
    found = {f"nint.image.{m}.psnr_1000": _quality(groups, m, 1000) for m in AT_1000}
    found |= {f"nint.image.{m}.psnr_5000": _quality(groups, m, STEPS) for m in ("nint", "full")}
    for axis, name in (("cpu" if run.parameters.device == "cpu" else "wall", "time"), ("step", "iteration")):
        savings = {s: saving([r.values["curves"] for r in group], axis) for s, group in groups.items()}
        if None not in savings.values():
            found[f"nint.image.nint.{name}_saving_max"] = metric(savings, records)
    return found | _others(run)


def _quality(groups: dict[int, list[Record]], method: str, step: int) -> Metric:
    values = {
        s: mean(value_at(c["quality"], c["step"], step) for c in (r.values["curves"][method] for r in group))
        for s, group in groups.items()
    }
    return metric(values, {(str(s), i): r for s, group in groups.items() for i, r in enumerate(group)})


def saving(races: Sequence[Curves], axis: str) -> float | None:
    """Compute the larger of the savings to 30 and to 35 dB, ``100 (1 - t_NINT / t_full)``.

    Args:
        races: Curves by sampler, one race an image; times are averaged over them.
        axis: ``cpu``, ``wall`` or ``step``.

    Returns:
        Percent; None where no target is reached by both on all images.
    """
    found = []
    for target in DECIBELS:
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
