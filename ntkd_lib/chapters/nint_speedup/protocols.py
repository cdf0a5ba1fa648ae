"""The recorded protocols of notebook 07: races on small images."""

from collections.abc import Callable, Mapping
from statistics import mean
from typing import Any

from ntkd_lib.chapters.nint_speedup import NOTEBOOK, small
from ntkd_lib.chapters.nint_speedup.methods import XI
from ntkd_lib.inr.metrics import value_at
from ntkd_lib.lab.cells import Record
from ntkd_lib.lab.protocols import Arm, Protocol


def small_arms(parameters: Mapping[str, Any], seed: int, sha256: str) -> dict[str, Arm]:
    """Race samplers for equal steps and for equal time, and measure leverage and the mixing share."""
    sizes = {"side": small.SIDE, "steps": small.STEPS, "every": small.EVERY, "look": small.LOOK}
    if different := [name for name, size in sizes.items() if parameters[name] != size]:
        raise ValueError(f"{different[0]} = {parameters[different[0]]}; allowed: {sizes[different[0]]}")
    fixed, timed, looks, xi = (
        small.cells(part, seed, sha256) for part in ("fixed", "timed", "leverage", "xi")
    )
    arms = {f"nint.small.{name}.psnr_1000": Arm(fixed, _mean(_last, name)) for name in small.FIXED}
    arms |= {
        f"nint.small.{name}.psnr_equal_time": Arm(timed, _mean(_equal_time, name)) for name in small.TIMED
    }
    return arms | {
        "nint.small.leverage_ratio": Arm(looks, _leverage),
        "nint.small.xi_range": Arm((*fixed, *xi), _range),
    }


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
    """Take the range of final quality over the shares of NINT's score."""
    half = len(records) // 2
    groups = {name: records[:half] if name == "nint" else records[half:] for name in XI}
    levels = [mean(_last(record, name) for record in group) for name, group in groups.items()]
    return max(levels) - min(levels)


PROTOCOLS = (Protocol("small", NOTEBOOK, "signals", small_arms, NOTEBOOK),)
