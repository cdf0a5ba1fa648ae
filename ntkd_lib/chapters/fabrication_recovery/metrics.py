"""Metrics of notebook 03: those that the claim contract names, and those of every other way to recover."""

import numpy as np

from ntkd_lib.chapters.fabrication_recovery.summary import (
    MAIN,
    NONE,
    VACCINATED,
    WAYS,
    device_record,
    form_of,
    student_record,
    theory_records,
)
from ntkd_lib.chapters.run import Run
from ntkd_lib.lab.cells import Record
from ntkd_lib.lab.evidence import Metric, Point

READINGS = {"fixed_total": "total", "fixed_weight": "weight", "fixed_total_linear": "linear"}


def metrics(run: Run) -> dict[str, Metric]:
    """Collect the metrics that the claim contract names, and those of every other way to recover."""
    devices = _devices(run, "ntkd")
    found = {
        f"ntkd.fab.mnist.{name}.accuracy": _recovery_metric(run, devices, name) for name in (*WAYS, "ntkd_ft")
    }
    found |= _sweep_metrics(run)
    found |= {f"ntkd.fab.mnist.{name}.drop": _drop_metric(run, name) for name in ("kd", "ntkd", "vaccinated")}
    return found | {f"ntkd.theory.ntk_change_{new}": _series(run, old) for new, old in READINGS.items()}


def _metric(run: Run, records: dict[int, list[Record]], values: list[float], **rest: object) -> Metric:
    cells = [record.key for part in records.values() for record in part]
    return Metric(seeds=list(records), values=values, data=[run.parameters.data], cells=cells, **rest)


def _devices(run: Run, student: str) -> dict[int, list[Record]]:
    numbers = range(run.parameters.devices)
    return {s: [device_record(run, student, s, n) for n in numbers] for s in run.parameters.all_seeds}


def _sweep_metrics(run: Run) -> dict[str, Metric]:
    found = {}
    for strength in run.parameters.strengths:
        for student, ways in (("ntkd", MAIN), (VACCINATED.name, (NONE,))):
            records = {
                s: [device_record(run, student, s, strength=strength)] for s in run.parameters.all_seeds
            }
            for way in ways:
                name = way if student == "ntkd" else student
                metric = f"ntkd.fab.mnist.strength_{100 * strength:.0f}.{name}.accuracy"
                found[metric] = _recovery_metric(run, records, way)
    return found


def _recovery_metric(run: Run, records: dict[int, list[Record]], name: str) -> Metric:
    key = form_of(name)
    found = {s: [r.values["recoveries"][key] for r in part] for s, part in records.items()}
    values = [float(np.mean([f["accuracy"] for f in part])) for part in found.values()]
    if name == NONE:
        return _metric(run, records, values)
    return _metric(run, records, values, converged=[all(f["converged"] for f in p) for p in found.values()])


def _drop_metric(run: Run, student: str) -> Metric:
    records = _devices(run, student)
    ideal = {seed: student_record(run, student, seed).values for seed in records}
    values = [
        float(ideal[s]["accuracy"] - np.mean([r.values["recoveries"][NONE]["accuracy"] for r in part]))
        for s, part in records.items()
    ]
    return _metric(run, records, values, converged=[ideal[seed]["converged"] for seed in records])


def _series(run: Run, reading: str) -> Metric:
    records = theory_records(run)
    series = [
        [
            Point(x=float(np.log10(m)), y=float(np.log10(change)))
            for m, change in zip(r.values["filters"], r.values[reading], strict=True)
        ]
        for r in records.values()
    ]
    keys = [record.key for record in records.values()]
    return Metric(seeds=list(records), series=series, data=[run.parameters.data], cells=keys)
