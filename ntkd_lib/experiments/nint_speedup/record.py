"""Run the contract's `small` protocol and record its evidence.

Run as ``python -m ntkd_lib.experiments.nint_speedup.record [PART …]``. Cells that are in the store are not
run again, so that a run that was stopped goes on; evidence is written for the parts that are complete.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import mean

import click

from ntkd_lib.data.registry import Located
from ntkd_lib.experiments.nint_speedup import NOTEBOOK, small
from ntkd_lib.experiments.nint_speedup.methods import XI
from ntkd_lib.experiments.recording import Recording, keys_of, seconds_of
from ntkd_lib.inr.metrics import value_at
from ntkd_lib.lab.cells import Record, cell_key
from ntkd_lib.lab.evidence import Evidence, Metric
from ntkd_lib.lab.execute import run_cells
from ntkd_lib.lab.layout import cell_root
from ntkd_lib.lab.store import CellStore, RecordError

PARTS = ("fixed", "timed", "leverage", "xi")
RECORDING = Recording(
    NOTEBOOK, "ntkd_lib.experiments.nint_speedup.record", "signals", small.SEEDS, tier="cpu"
)


def by_seed(part: str, sha256: str, store: CellStore) -> dict[int, list[Record]]:
    """Read the records of one part."""
    found: dict[int, list[Record]] = {}
    try:
        for cell in small.cells(part, sha256):
            found.setdefault(cell.arguments["seed"], []).append(store.load(cell_key(cell)))
    except (RecordError, FileNotFoundError):
        return {}
    return found


def _metric(values: Mapping[int, float], records: Mapping[int, Sequence[Record]]) -> Metric:
    """Make a metric; a plateau is not asked for where the contract fixes the step that is read."""
    return Metric(
        seeds=list(values),
        values=list(values.values()),
        data=["signals"],
        cells=sorted(record.key for group in records.values() for record in group),
    )


def _last(record: Record, name: str) -> float:
    return record.values["curves"][name]["quality"][-1]


def _equal_time(record: Record, name: str) -> float:
    """Read a curve at the CPU seconds that NINT took for all its steps."""
    curve, leader = (record.values["curves"][which] for which in (name, "nint"))
    return value_at(curve["quality"], curve["cpu"], leader["cpu"][-1])


def metrics(sha256: str, store: CellStore) -> dict[str, Metric]:
    """Compute the contract's metrics of all parts that are complete."""
    found: dict[str, Metric] = {}
    fixed, timed, looks, xi = (by_seed(part, sha256, store) for part in PARTS)
    for name in small.FIXED if fixed else ():
        values = {seed: mean(_last(r, name) for r in group) for seed, group in fixed.items()}
        found[f"nint.small.{name}.psnr_1000"] = _metric(values, fixed)
    for name in small.TIMED if timed else ():
        values = {seed: mean(_equal_time(r, name) for r in group) for seed, group in timed.items()}
        found[f"nint.small.{name}.psnr_equal_time"] = _metric(values, timed)
    if looks:
        values = {seed: mean(r.values["looks"][-1]["ratio"] for r in group) for seed, group in looks.items()}
        found["nint.small.leverage_ratio"] = _metric(values, looks)
    if fixed and xi:
        found["nint.small.xi_range"] = _xi_range(fixed, xi)
    return found


def _xi_range(fixed: Mapping[int, list[Record]], xi: Mapping[int, list[Record]]) -> Metric:
    values = {}
    for seed in xi:
        levels = [mean(_last(r, name) for r in (fixed if name == "nint" else xi)[seed]) for name in XI]
        values[seed] = max(levels) - min(levels)
    return _metric(values, {seed: [*fixed[seed], *xi[seed]] for seed in xi})


def evidence(located: Located, found: Mapping[str, Metric], seconds: float) -> Evidence:
    """Put the metrics into evidence of tier cpu: all sizes are fixed by the contract, not by the tier's."""
    return RECORDING.evidence(located, small.protocol(), found, seconds)


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(PARTS))
@click.option("--workers", type=click.IntRange(1), default=1, help="Processes; default 1, for clean timing.")
def main(parts: tuple[str, ...], workers: int) -> None:
    """Run parts of the protocol, all by default, and write what is complete."""
    located, store = RECORDING.real_data(), CellStore(cell_root())
    for part in parts or PARTS:
        run_cells(small.cells(part, located.sha256), store, workers=workers)
    found = metrics(located.sha256, store)
    RECORDING.save(evidence(located, found, seconds_of(keys_of(found), store)))


if __name__ == "__main__":
    main()
