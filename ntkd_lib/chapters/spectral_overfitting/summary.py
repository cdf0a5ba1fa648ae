"""Summary of notebook 05: the six networks, their students and controls, and the metrics of the contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from ntkd_lib.chapters.run import Run
from ntkd_lib.chapters.spectral_overfitting import detection
from ntkd_lib.chapters.spectral_overfitting.networks import NETWORKS
from ntkd_lib.chapters.spectral_overfitting.problems import INPUTS
from ntkd_lib.lab.cells import Record
from ntkd_lib.lab.evidence import Metric, Point
from ntkd_lib.lab.statistics import bootstrap_interval, interval_ends
from ntkd_lib.spectral.modes import mode_table
from ntkd_lib.spectral.optimism import LIMIT
from ntkd_lib.spectral.stacked import parameter_count

LARGEST = "512-256"


def studies(run: Run) -> dict[int, Record]:
    """Give the records of the six networks' students by seed."""
    return {seed: run.records[f"six/seed={seed}"] for seed in run.parameters.all_seeds}


def six_scores(run: Run) -> pd.DataFrame:
    """List what was measured of every network."""
    rows = [
        {
            "network": name,
            "parameters": parameter_count(INPUTS, NETWORKS[name].widths),
            "seed": seed,
            "kstar": record.values["kstar"],
            "krr": record.values["labels"]["rmse"],
            **measured,
        }
        for seed, record in studies(run).items()
        for name, measured in record.values["networks"].items()
    ]
    order = {name: place for place, name in enumerate(NETWORKS)}
    return pd.DataFrame(rows).sort_values("network", key=lambda names: names.map(order), kind="stable")


def six_table(scores: pd.DataFrame) -> pd.DataFrame:
    """Average over seeds, with intervals of the gains."""
    rows = []
    for name, part in scores.groupby("network", sort=False):
        gains = {
            "gain": part["teacher"] - part["student"],
            "early_gain": part["early_teacher"] - part["early_student"],
            "control_gain": part["krr"] - part["student"],
        }
        row = {"network": name, **part.drop(columns=["network", "seed"]).mean().to_dict()}
        for gain, values in gains.items():
            low, high = interval_ends(list(values))
            row |= {gain: values.mean(), f"{gain}_low": low, f"{gain}_high": high}
        rows.append(row)
    return pd.DataFrame(rows)


def controls(run: Run) -> pd.DataFrame:
    """List the controls of every seed: kernel ridge on the labels, and a random forest as teacher."""
    return pd.DataFrame(
        {
            "seed": seed,
            "krr": record.values["labels"]["rmse"],
            "krr_effective": record.values["labels"]["effective"],
            **record.values["forest"],
        }
        for seed, record in studies(run).items()
    )


def largest_modes(run: Run, network: str = LARGEST) -> tuple[pd.DataFrame, int, float]:
    """Give the table of modes of a network of the first seed."""
    record = next(iter(studies(run).values()))
    arrays = (record.arrays[name] for name in ("values", f"fitted/{network}", "labels", "kept"))
    return mode_table(*arrays), record.values["kstar"], record.values["noise"]


def paper_figures(scores: pd.DataFrame) -> pd.DataFrame:
    """Set the paper's numbers beside ours, on the stand-in data."""
    means = scores.drop(columns="network").groupby(scores["network"], sort=False).mean()
    top = means.loc[LARGEST]
    stored = top["stored"]
    rows = [
        ("R² of student against teacher, by network", "77 to 95 %", _range(means["r2"], " %")),
        ("effective parameters of the student", "250 to 390", _range(means["effective"])),
        (
            "compression of 512-256 by effective parameters",
            "359 ×",
            f"{top['parameters'] / top['effective']:.0f} ×",
        ),
        ("the same by numbers stored", "–", f"{top['parameters'] / stored:.1f} ×"),
        (
            "compression of the smallest network, numbers stored",
            "–",
            f"{means['parameters'].min() / stored:.2f} ×",
        ),
        ("modes that hold signal, K*", "76", f"{top['kstar']:.0f}"),
        ("modes that 512-256 uses", "249", f"{top['net_modes']:.0f}"),
        ("train-test gap of 512-256, RMSE", "2.32", f"{top['teacher'] - top['train']:.2f}"),
    ]
    return pd.DataFrame(rows, columns=["what", "paper", "ours"])


def _range(values: pd.Series, unit: str = "") -> str:
    return f"{values.min():.0f} to {values.max():.0f}{unit}"


def null_rates(run: Run) -> pd.DataFrame:
    """Give the share of replicates of the matched null in which the test rejects."""
    rows = []
    for variant in ("independent", "estimated", "own"):
        records = [run.records[f"null/seed={seed}"] for seed in run.parameters.all_seeds]
        z = np.concatenate([record.arrays[variant] for record in records])
        rows.append(
            {"variant": variant, "share": 100 * float((np.abs(z) > LIMIT).mean()), "replicates": len(z)}
        )
    return pd.DataFrame(rows)


def fits_counted(run: Run) -> tuple[int, float]:
    """Count the fits of the validation grid, and their seconds on one thread."""
    records = [record for name, record in run.records.items() if name.startswith("fits/grid/")]
    count = sum(len(record.arrays["train"]) for record in records)
    return count, sum(record.provenance["seconds"] for record in records)


def metrics(run: Run) -> dict[str, Metric]:
    """Collect the metrics that the claim contract names."""
    scores = six_scores(run)
    found = {f"spectral.{name}": _metric(run, scores, take) for name, take in _BY_SEED.items()}
    table = six_table(scores)
    counts = {
        "networks_improved": _improved(scores),
        "stopped_networks_improved": (table["early_gain_low"] > 0).sum(),
        "students_behind_ridge": (table["control_gain_high"] < 0).sum(),
    }
    found |= {f"spectral.six.{name}": _one_number(run, scores, float(n)) for name, n in counts.items()}
    null = null_rates(run).set_index("variant")["share"]["independent"]
    cells = [run.records[f"null/seed={seed}"].key for seed in run.parameters.all_seeds]
    found["spectral.null.false_positive_rate"] = Metric(
        seeds=run.parameters.all_seeds, values=[float(null)], cells=cells
    )
    return found | _grid_metrics(run)


def _improved(scores: pd.DataFrame) -> int:
    """Count the networks whose student gains by the paired bootstrap, as the metric is defined."""
    gains = (part["teacher"] - part["student"] for _, part in scores.groupby("network"))
    return sum(bootstrap_interval(list(values))[0] > 0 for values in gains)


def _largest(column: str) -> Callable[[pd.DataFrame], float]:
    return lambda part: part.set_index("network")[column][LARGEST]


_BY_SEED: Mapping[str, Callable[[pd.DataFrame], float]] = {
    "six.r2_min": lambda part: part["r2"].min(),
    "six.effective_max": lambda part: part["effective"].max(),
    "six.gcv_regret": lambda part: 100 * (part["student"] / part["oracle"] - 1).mean(),
    "six.greedy_gap": lambda part: part["greedy_gap"].mean(),
    "six.certificate_coverage": lambda part: 100 * (part["certificate"] >= part["difference"]).mean(),
    "six.krr_labels_rmse": lambda part: part["krr"].iloc[0],
    "six.student_rmse": lambda part: part["student"].mean(),
    "w512_256.teacher_parameters": _largest("parameters"),
    "w512_256.effective_parameters": _largest("effective"),
    "w512_256.net_modes": _largest("net_modes"),
    "w512_256.kstar": _largest("kstar"),
    "w512_256.train_rmse": _largest("train"),
    "overfit.effective_modes": _largest("effective"),
    "overfit.signal_modes": _largest("kstar"),
}


_AREAS = {"harmful_auc": ("z", "off_best"), "past_best_auc": ("excess", "past_best")}


def _metric(run: Run, scores: pd.DataFrame, take: Callable[[pd.DataFrame], float]) -> Metric:
    parts = dict(list(scores.groupby("seed")))
    seeds = run.parameters.all_seeds
    return Metric(
        seeds=seeds,
        values=[float(take(parts[seed])) for seed in seeds],
        converged=[bool(parts[seed]["converged"].all()) for seed in seeds],
        cells=[record.key for record in studies(run).values()],
    )


def _one_number(run: Run, scores: pd.DataFrame, value: float) -> Metric:
    like = _metric(run, scores, lambda part: 0.0)  # noqa: ARG005 - seeds and convergence are what is wanted
    return like.model_copy(update={"values": [value]})


def _grid_metrics(run: Run) -> dict[str, Metric]:
    points = detection.grid_points(run)
    by_seed = dict(list(points.groupby("seed")))
    seeds = run.parameters.all_seeds
    cells = [record.key for name, record in run.records.items() if name.startswith("grid/")]
    series = [
        [Point(x=float(f"{p.gap:.4g}"), y=float(f"{p.optimism:.4g}")) for p in by_seed[seed].itertuples()]
        for seed in seeds
    ]
    found = {"spectral.grid.optimism_series": Metric(seeds=seeds, series=series, cells=cells)}
    for name, (method, truth) in _AREAS.items():
        areas = [detection.area(by_seed[seed], method, truth) for seed in seeds]
        if not np.isnan(areas).any():
            found[f"spectral.grid.{name}"] = Metric(seeds=seeds, values=areas, cells=cells)
    return found
