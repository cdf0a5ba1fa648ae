"""Summary of notebook 07: curves of all samplers, targets reached, savings, and the run's metrics."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import mean

import numpy as np
import pandas as pd

from ntkd_lib.chapters.nint_speedup.methods import METHODS
from ntkd_lib.chapters.nint_speedup.plan import IMAGES, RACE, TIMED
from ntkd_lib.chapters.run import Run
from ntkd_lib.inr.metrics import crossing, value_at
from ntkd_lib.lab.cells import Record
from ntkd_lib.lab.evidence import Metric
from ntkd_lib.lab.statistics import interval_ends

TARGETS = (0.25, 0.5, 0.75)
PAPER_TIME = 48.99
AXES = ("cpu", "step", "forwards")


def labels() -> dict[str, str]:
    """Give what tables and figures call each sampler, by its name."""
    return {name: method.label for name, method in METHODS.items()}


def race_records(run: Run, study: str = "race") -> dict[tuple[str, int], Record]:
    """Give the records of the races on images."""
    return {
        (image, seed): run.records[f"{study}/{image}/{study}/seed={seed}"]
        for image in IMAGES
        for seed in run.parameters.all_seeds
    }


def curves(run: Run, study: str = "race") -> pd.DataFrame:
    """List all evaluations of the races."""
    names = ("step", "quality", "cpu", "wall", "forwards")
    parts = [
        pd.DataFrame({name: curve[name] for name in names}).assign(
            method=method, label=METHODS[method].label, image=image, seed=seed
        )
        for (image, seed), record in race_records(run, study).items()
        for method, curve in record.values["curves"].items()
    ]
    return pd.concat(parts, ignore_index=True)


def mean_curves(table: pd.DataFrame, methods: tuple[str, ...]) -> pd.DataFrame:
    """Average curves over images and seeds."""
    rows = []
    for method in methods:
        part = table[table["method"] == method]
        by_seed = part.groupby(["step", "seed"])["quality"].mean().unstack()
        axes = part.groupby("step")[["cpu", "forwards"]].mean()
        for step, values in by_seed.iterrows():
            low, high = values.min(), values.max()
            row = {"method": method, "label": METHODS[method].label, "step": step, "mean": values.mean()}
            rows.append({**row, "low": low, "high": high, **axes.loc[step].to_dict()})
    return pd.DataFrame(rows)


def reached(run: Run) -> pd.DataFrame:
    """Find when each sampler has, for good, what full batch has after parts of its steps."""
    rows = []
    for (image, seed), record in race_records(run).items():
        found = record.values["curves"]
        for share in TARGETS:
            full = found["full"]
            target = value_at(full["quality"], full["step"], share * run.parameters.steps)
            base = {axis: crossing(full["quality"], full[axis], target) for axis in AXES}
            for method in RACE:
                place = {
                    axis: crossing(found[method]["quality"], found[method][axis], target) for axis in AXES
                }
                ratios = {axis: _ratio(place[axis], base[axis]) for axis in AXES}
                rows.append(
                    {
                        "method": method,
                        "image": image,
                        "seed": seed,
                        "share": share,
                        "target": target,
                        **ratios,
                    }
                )
    return pd.DataFrame(rows)


def _ratio(place: float | None, base: float | None) -> float:
    return np.nan if place is None or not base else place / base


def savings(table: pd.DataFrame) -> pd.DataFrame:
    """Turn ratios into savings against full batch, and into ratios to uniform.

    Geometric means over seeds and targets that the method has reached; ``missed`` counts the others.
    """
    uniform = _pivot(table, "uniform")
    rows = []
    for method in RACE:
        part = table[table["method"] == method]
        means = {axis: np.exp(np.log(part[axis]).mean()) for axis in AXES}
        images = part.groupby("image")["cpu"].apply(lambda x: np.exp(np.log(x).mean()))
        own = _pivot(table, method)
        rows.append(
            {
                "method": method,
                "label": METHODS[method].label,
                **{f"{axis}_saving": 100 * (1 - means[axis]) for axis in AXES},
                "to_uniform": np.exp(np.log(own["cpu"] / uniform["cpu"]).mean()),
                "forwards_to_uniform": np.exp(np.log(own["forwards"] / uniform["forwards"]).mean()),
                "missed": 100 * part["cpu"].isna().mean(),
                "images": int((100 * (1 - images) >= PAPER_TIME).sum()),
            }
        )
    return pd.DataFrame(rows)


def _pivot(table: pd.DataFrame, method: str) -> pd.DataFrame:
    return table[table["method"] == method].set_index(["image", "seed", "share"])[list(AXES)]


def by_image(table: pd.DataFrame) -> pd.DataFrame:
    """Average time ratios to full batch image by image."""
    logs = table.assign(time=np.log(table["cpu"]), work=np.log(table["forwards"]))
    means = np.exp(logs.groupby(["method", "image"], sort=False)[["time", "work"]].mean()).reset_index()
    return means.assign(label=[METHODS[m].label for m in means["method"]])


def qualities(table: pd.DataFrame) -> pd.DataFrame:
    """Compare all samplers at equal steps."""
    steps = table["step"].max()
    means = table.groupby(["method", "seed", "step"], sort=False)["quality"].mean()
    rows = []
    for method in dict.fromkeys(table["method"]):
        row = {"method": method, "label": METHODS[method].label}
        for share in (0.25, 0.5, 1.0):
            row[f"at_{share:g}"] = means[method].xs(_nearest(table, share * steps), level="step").mean()
        end = means[method].xs(steps, level="step")
        for other in ("uniform", "full"):
            gaps = list(end - means[other].xs(steps, level="step"))
            low, high = interval_ends(gaps)
            row |= {f"to_{other}": mean(gaps), f"{other}_low": low, f"{other}_high": high}
        rows.append(row)
    return pd.DataFrame(rows)


def _nearest(table: pd.DataFrame, step: float) -> int:
    steps = table["step"].unique()
    return int(steps[np.abs(steps - step).argmin()])


def equal_time(run: Run) -> pd.DataFrame:
    """Read every tuned sampler at the CPU seconds that tuned NINT took for all its steps."""
    rows = []
    for (image, seed), record in race_records(run, "timed").items():
        found = record.values["curves"]
        end = found["nint"]["cpu"][-1]
        nint = found["nint"]["quality"][-1]
        for method in TIMED:
            quality = value_at(found[method]["quality"], found[method]["cpu"], end)
            row = {"method": method, "label": METHODS[method].label, "image": image, "seed": seed}
            rows.append(
                {**row, "quality": quality, "steps": found[method]["step"][-1], "gap": quality - nint}
            )
    return pd.DataFrame(rows)


def metrics(run: Run) -> dict[str, Metric]:
    """Collect what the run measured, under the names of its own protocol."""
    records = race_records(run)
    end = {
        f"nint.live.{method}.psnr_end": _by_seed(
            records, lambda r, m=method: r.values["curves"][m]["quality"][-1]
        )
        for method in RACE
    }
    timed_records = race_records(run, "timed")
    table = equal_time(run).set_index(["method", "image", "seed"])["quality"]
    timed = {
        f"nint.live.{method}.psnr_equal_time": metric(
            {s: mean(table[method, image, s] for image in IMAGES) for s in run.parameters.all_seeds},
            timed_records,
        )
        for method in TIMED
    }
    looks = {
        (image, seed): run.records[f"leverage/{image}/leverage/seed={seed}"]
        for image in IMAGES
        for seed in run.parameters.all_seeds
    }
    ratio = _by_seed(looks, lambda r: r.values["looks"][-1]["ratio"])
    return {**end, **timed, "nint.live.leverage_ratio": ratio}


def _by_seed(records: Mapping[tuple[str, int], Record], read: object) -> Metric:
    seeds = dict.fromkeys(seed for _, seed in records)
    values = {s: mean(read(r) for (_, seed), r in records.items() if seed == s) for s in seeds}
    return metric(values, records)


def metric(values: Mapping[int, float], records: Mapping[tuple[str, int], Record]) -> Metric:
    """Make a metric.

    ``converged`` stays empty: these numbers are read at a fixed step or second of training, where a plateau
    is neither asked for nor claimed.
    """
    return Metric(
        seeds=list(values),
        values=list(values.values()),
        data=["signals"],
        cells=sorted(record.key for record in records.values()),
    )
