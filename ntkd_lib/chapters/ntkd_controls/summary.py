"""Summary of the controls: estimates and what was reached, random filters, sizes, few labels, read-out."""

from __future__ import annotations

from functools import partial

import pandas as pd
from scipy.stats import spearmanr

from ntkd_lib.chapters.ntkd_classification.summary import student_label, student_records
from ntkd_lib.chapters.ntkd_controls.design import (
    ARCHITECTURES,
    HIDDEN_SIZES,
    QUARTER,
    RANDOM_KINDS,
    TRAINED_ELSEWHERE,
    VARIANTS,
)
from ntkd_lib.chapters.ntkd_controls.few_labels import few_label_gaps, few_label_metrics
from ntkd_lib.chapters.ntkd_controls.plan import ASKED, asked_architecture, variants_of
from ntkd_lib.chapters.run import Run
from ntkd_lib.lab.cells import Record
from ntkd_lib.lab.evidence import Metric

ALL_TRAINING_IMAGES = 50_000
QUARTER_DROP = "ntkd.mnist.ntkd.quarter_drop"
RANK_CORRELATION = "ntkd.stage1.rank_correlation"
PAPER_RANDOM = {
    "mnist": {8: 96.12, 500: 96.81, 1000: 97.24, 0: 97.72},
    "cifar-10": {8: 36.73, 500: 49.32, 1000: 56.23, 0: 67.33},
}


def variant_records(run: Run, name: str) -> dict[int, Record]:
    """Give the records of a variant by seed."""
    prefix = f"{run.parameters.data}/{VARIANTS[name].family}/{name}"
    return {seed: run.records[f"{prefix}/seed={seed}"] for seed in run.parameters.some_seeds}


def estimates(run: Run) -> pd.DataFrame:
    """Set the estimate of each architecture beside what its students reached."""
    rows = []
    for a in ARCHITECTURES:
        guess = run.records[f"{run.parameters.data}/estimate/{a.name}"].values["estimate"]
        given = {"name": a.name, "label": a.label, "height": a.height, "width": a.width, "filters": a.filters}
        rows += [
            {
                **given,
                "estimate": guess,
                "seed": seed,
                "accuracy": record.values["accuracy"],
                "converged": record.values["converged"],
            }
            for seed, record in _achieved(run, a.name).items()
        ]
    return pd.DataFrame(rows)


def asked_estimate(run: Run) -> dict[str, float]:
    """Give the estimate of the surface that the parameters give."""
    _, filters = asked_architecture(run.parameters)
    record = run.records[f"{run.parameters.data}/estimate/{ASKED}"]
    return {"filters": filters, "estimate": record.values["estimate"]}


def rank_correlations(table: pd.DataFrame) -> dict[int, float]:
    """Correlate the ranks of estimate and accuracy over architectures, seed by seed."""
    return {
        int(seed): float(spearmanr(part["estimate"], part["accuracy"]).statistic)
        for seed, part in table.groupby("seed")
    }


def random_filters(run: Run) -> pd.DataFrame:
    """List the regressions on random filters."""
    rows = []
    for data in (run.parameters.data, run.parameters.colour):
        paper = PAPER_RANDOM.get(data, {})
        for kind, count, seed in _regressions(run):
            record = run.records[f"{data}/random/{kind}{count or ''}/seed={seed}"]
            rows.append(
                {
                    "data": data,
                    "kind": RANDOM_KINDS.get(kind, "infinitely many, Gaussian"),
                    "count": count,
                    "seed": seed,
                    "accuracy": record.values["accuracy"],
                    "images": record.values["images"],
                    "paper": paper.get(count),
                }
            )
    return pd.DataFrame(rows)


def sizes(run: Run) -> pd.DataFrame:
    """List accuracies by the number of values in the hidden layer, with and without transfer."""
    rows = []
    for method in ("none", "ntkd"):
        for hidden in HIDDEN_SIZES:
            usual = hidden == 32
            records = (
                student_records(run, method) if usual else variant_records(run, f"{method}_hidden{hidden}")
            )
            rows += [
                {
                    "method": student_label(method),
                    "hidden": hidden,
                    "parameters": 1569 * hidden + 10 * hidden + 10,
                    "seed": seed,
                    "accuracy": record.values["accuracy"],
                }
                for seed, record in records.items()
            ]
    return pd.DataFrame(rows)


def few_labels(run: Run) -> pd.DataFrame:
    """Compare methods seed by seed where most labels are withheld."""
    return few_label_gaps(few_label_metrics(run.parameters.data, partial(variant_records, run)))


def read_outs(run: Run) -> pd.DataFrame:
    """List accuracies by the number of values that are read out, through filters and through a lens."""
    rows = [
        {"optics": optics, "values": 1568, "seed": seed, "accuracy": record.values["accuracy"]}
        for optics, method in (("filters", "none"), ("lens", "lens"))
        for seed, record in student_records(run, method).items()
    ]
    for variant in variants_of(run.parameters):
        if variant.family == "read-out":
            optics, values = variant.label.split(", ")
            rows += [
                {
                    "optics": optics,
                    "values": int(values.split()[0]),
                    "seed": seed,
                    "accuracy": r.values["accuracy"],
                }
                for seed, r in variant_records(run, variant.name).items()
            ]
    return pd.DataFrame(rows)


def depths(run: Run) -> pd.DataFrame:
    """List accuracies of two optical layers and of saturable absorbers beside that of one layer."""
    deep = [v for v in variants_of(run.parameters) if v.family == "depth"]
    one = {s: r for s, r in student_records(run, "none").items() if s in run.parameters.some_seeds}
    found = [("one optical layer", one)] if deep else []
    found += [(variant.label, variant_records(run, variant.name)) for variant in deep]
    return pd.DataFrame(
        [
            {"label": label, "seed": seed, "accuracy": record.values["accuracy"]}
            for label, records in found
            for seed, record in records.items()
        ],
        columns=["label", "seed", "accuracy"],
    )


def metrics(run: Run) -> dict[str, Metric]:
    """Collect the metrics of the controls that the claim contract names, and those of few labels."""
    return own_seed_metrics(run) | _limit_metric(run)


def own_seed_metrics(run: Run) -> dict[str, Metric]:
    """Collect the metrics of controls that run for the seeds of the controls."""
    quarter = variant_records(run, f"ntkd_hidden{QUARTER}")
    full = {seed: student_records(run, "ntkd")[seed] for seed in quarter}
    drop = Metric(
        seeds=list(quarter),
        values=[full[seed].values["accuracy"] - quarter[seed].values["accuracy"] for seed in quarter],
        converged=[bool(full[s].values["converged"] and quarter[s].values["converged"]) for s in quarter],
        data=[run.parameters.data],
        cells=[r.key for records in (full, quarter) for r in records.values()],
    )
    few = few_label_metrics(run.parameters.data, partial(variant_records, run))
    return {QUARTER_DROP: drop, RANK_CORRELATION: _rank_metric(run), **few}


def _achieved(run: Run, name: str) -> dict[int, Record]:
    if name not in TRAINED_ELSEWHERE:
        return variant_records(run, name)
    records = student_records(run, name)
    return {seed: records[seed] for seed in run.parameters.some_seeds}


def _regressions(run: Run) -> list[tuple[str, int, int]]:
    seeds = run.parameters.some_seeds
    found = [(k, count, s) for k in RANDOM_KINDS for count in run.parameters.random_filters for s in seeds]
    return [*found, ("infinite", 0, seeds[0])]


def _rank_metric(run: Run) -> Metric:
    table = estimates(run)
    ranks = rank_correlations(table)
    done = table.groupby("seed")["converged"].all()
    records = [r for a in ARCHITECTURES for r in _achieved(run, a.name).values()]
    records += [run.records[f"{run.parameters.data}/estimate/{a.name}"] for a in ARCHITECTURES]
    return Metric(
        seeds=list(ranks),
        values=list(ranks.values()),
        converged=[bool(done[seed]) for seed in ranks],
        data=[run.parameters.data],
        cells=[r.key for r in records],
    )


def _limit_metric(run: Run) -> dict[str, Metric]:
    seed, colour = run.parameters.some_seeds[0], run.parameters.colour
    record = run.records.get(f"{colour}/random/infinite/seed={seed}")
    if record is None or record.values["images"] < ALL_TRAINING_IMAGES:
        return {}
    metric = Metric(seeds=[seed], values=[record.values["accuracy"]], data=[colour], cells=[record.key])
    return {"ntkd.random.cifar10.infinite.accuracy": metric}
