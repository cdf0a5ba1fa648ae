"""Figures and tables of notebook 06: scores with their costs, and the metrics of the claims."""

from collections.abc import Iterator, Mapping
from statistics import mean

import numpy as np
import pandas as pd

from ntkd_lib.chapters.distilled.methods import FEW, LABELS, NAMES
from ntkd_lib.chapters.distilled.studies.costs import contract_costs
from ntkd_lib.chapters.distilled.studies.points import points
from ntkd_lib.chapters.distilled.studies.ranks import ranks
from ntkd_lib.chapters.distilled.studies.streamed import streamed
from ntkd_lib.chapters.distilled.studies.synthetic import SELECTIONS, synthetic
from ntkd_lib.chapters.distilled.studies.tuned import tuned_images
from ntkd_lib.chapters.distilled.work import distilled_base, exact, network
from ntkd_lib.chapters.run import Run
from ntkd_lib.lab import Metric, Work, metric, recorded_metrics, unfold
from ntkd_lib.show import Column, Html, show_table

SCORED = (exact, points, streamed, synthetic, tuned_images, distilled_base)
PREFIXES = {"mnist": "small", "mnist-5k": "small", "cifar-10": "cifar10", "imagenette": "imagenette"}
QUERIES = 1000
FEWER, SUPPORT = 20.0, 10 * FEW
COMPRESSED = {
    "random_points": "balanced",
    "distilled_points": "distilled",
    "pseudo": "pseudo",
    "last_layer": "last layer",
}
PAPER = {
    "jac20.accuracy_drop": ("accuracy lost with 20 times fewer images (points)", "none"),
    "s5.accuracy": ("accuracy with five synthetic gradients (%)", "76"),
    "s5.fidelity": ("fidelity with five synthetic gradients (%)", "78"),
    "local_global.fidelity": ("fidelity of synthetic gradients, mean over 5 to 40 (%)", "above selection"),
    "best_selection.fidelity": ("fidelity of the best selection, mean over 5 to 40 (%)", "–"),
    "trunc_rank_50": ("truncation rank at 50 points per class (distilled; last column: real)", "31 to 41"),
    "rank_shift": ("shift of that rank by distillation", "none"),
    "uncovered_variance": ("variance that clusters leave uncovered (%)", "12 to 15"),
    "jac20.kernel_cosine": ("cosine of the kernel rebuilt from 100 distilled images", "kept"),
    "distilled_base.accuracy_drop": ("accuracy lost by training on distilled images (points)", "about 10"),
    "distilled_points.fidelity": ("fidelity of 100 distilled images (%)", "–"),
    "random_points.fidelity": ("fidelity of 100 random images (%)", "–"),
}
Part = tuple[pd.DataFrame, str]  # one row per seed, and the column that a metric reads


def prefixes(run: Run) -> dict[str, str]:
    """Map the data sets to their prefixes of metrics."""
    return {data: PREFIXES[data] for data in run.parameters.datasets}


def with_plateaus(run: Run, table: pd.DataFrame) -> pd.DataFrame:
    """Add to rows of data sets and seeds whether their network has reached a plateau."""
    return table.merge(run.frame(network)[["data", "seed", "converged"]], on=["data", "seed"])


def scores(run: Run) -> pd.DataFrame:
    """List the scores and costs of all methods on the seeds with the exact kernel."""
    pairs = run.frame(exact)[["data", "seed"]].itertuples(index=False)
    return with_plateaus(run, pd.DataFrame(row for pair in pairs for row in _seed_scores(run, *pair)))


def _seed_scores(run: Run, data: str, seed: int) -> Iterator[dict[str, object]]:
    (reference,) = run.select(exact, data=data, seed=seed)
    first = reference.values["rows"][0]
    most = _built(first)["rows"]
    for record in (record for work in SCORED for record in run.select(work, data=data, seed=seed)):
        for row in record.values["rows"]:
            truth = reference.arrays[f"exact/{first['size']}/{row['target']}"]
            guess = record.arrays[f"{row['method']}/{row['size']}/{row['target']}"]
            built, query = _built(row), row["ledger"]["query"]
            yield {
                **{name: value for name, value in row.items() if name != "ledger"},
                "data": data,
                "seed": seed,
                "cell": record.key,
                "agreement": 100 * float((guess == truth).mean()),
                **{name: built[name] for name in ("rows", "flop", "seconds")},
                "mebibytes": built["bytes"] / 2**20,
                "query_flop": query["flop"],
                "query_seconds": query["seconds"],
                "fewer": most / built["rows"] if built["rows"] else np.inf,
            }


def _built(row: Mapping[str, dict]) -> dict[str, float]:
    stages = list(row["ledger"]["build"].values())
    sums = {name: sum(stage[name] for stage in stages) for name in ("rows", "flop", "seconds")}
    return {**sums, "bytes": max(stage["bytes"] for stage in stages)}


def averages(table: pd.DataFrame) -> pd.DataFrame:
    """Average scores over seeds, for methods that every seed of a data set has."""
    keys = ["data", "method", "size", "target"]
    seeds = table.groupby("data")["seed"].nunique()
    table = table[table.groupby(keys)["seed"].transform("nunique") == table["data"].map(seeds)]
    means = table.drop(columns=["seed", "cell", "converged"]).groupby(keys, sort=False, as_index=False).mean()
    return means.assign(total_seconds=means["seconds"] + QUERIES * means["query_seconds"])


def synthetic_scores(run: Run) -> pd.DataFrame:
    """List the scores on synthetic gradients for all seeds, those without an exact kernel too."""
    rows = unfold(run.frame(synthetic)[["data", "seed", "cell", "rows"]], "rows")
    columns = ["data", "seed", "cell", "method", "size", "accuracy", "fidelity"]
    return with_plateaus(run, rows.loc[rows["target"] == "logits", columns])


def best_cheap(means: pd.DataFrame, target: str = "logits") -> pd.DataFrame:
    """Select per data set the method that agrees best with the exact kernel for a twentieth of its rows."""
    part = means[(means["target"] == target) & (means["fewer"] >= FEWER) & (means["rows"] > 0)]
    return part.loc[part.groupby("data", sort=False)["agreement"].idxmax()]


def metrics(run: Run) -> dict[str, Metric]:
    """Collect the metrics that the claim contract names, and the same metrics on the other data sets."""
    collected = {name: Metric(seeds=[0], values=[value]) for name, value in contract_costs().items()}
    table, reduced = scores(run), synthetic_scores(run)
    for data, prefix in prefixes(run).items():
        own = table[table["data"] == data]
        parts = {
            **_average_fidelity(reduced[reduced["data"] == data]),
            **_thorough(run, own[own["target"] == "logits"]),
            **dict(_agreements(own)),
            **_of_cells(run, data),
        }
        collected |= {f"dntk.{prefix}.{name}": metric(*part) for name, part in parts.items()}
    return collected


def _average_fidelity(table: pd.DataFrame) -> dict[str, Part]:
    """Average fidelity over the numbers of synthetic gradients; the best selection is the best on average."""
    keys = ["method", "seed", "data", "cell", "converged"]
    means = table.groupby(keys, sort=False, as_index=False)["fidelity"].mean()
    parts = dict(list(means.groupby("method", sort=False)))
    best = max(SELECTIONS, key=lambda method: mean(parts[method]["fidelity"].tolist()))
    shown = {"local_global": "local-global", "global_top": "global top", "best_selection": best}
    return {f"{name}.fidelity": (parts[method], "fidelity") for name, method in shown.items()}


def _thorough(run: Run, table: pd.DataFrame) -> dict[str, Part]:
    many = 10 * run.parameters.per_class

    def rows(method: str, size: int) -> pd.DataFrame:
        return table[(table["method"] == method) & (table["size"] == size)]

    few, five = rows("distilled", SUPPORT), rows("local-global", 5)
    whole, base = table[table["method"] == "exact"], rows("distilled base", many)
    return {
        "jac20.accuracy_drop": (_lost(whole, few), "lost"),
        "s5.accuracy": (five, "accuracy"),
        "s5.fidelity": (five, "fidelity"),
        "distilled_points.fidelity": (few, "fidelity"),
        "random_points.fidelity": (rows("balanced", SUPPORT), "fidelity"),
        "distilled_base.accuracy_drop": (_lost(rows("distilled", many), base), "lost"),
    }


def _lost(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    first = before.set_index("seed")["accuracy"].loc[after["seed"]]
    return after.assign(lost=first.to_numpy() - after["accuracy"].to_numpy())


def _agreements(table: pd.DataFrame) -> Iterator[tuple[str, Part]]:
    """Select agreements of compressed kernels with the exact one: 100 images, or the most for few rows."""
    cheap = table[(table["fewer"] >= FEWER) | (table["size"] == 100)]
    for name, method in COMPRESSED.items():
        for target, prefix in (("logits", ""), ("labels", "label_")):
            part = cheap[(cheap["method"] == method) & (cheap["target"] == target)]
            yield f"{name}.{prefix}agreement", (part[part["size"] == part["size"].max()], "agreement")


def _of_cells(run: Run, data: str) -> dict[str, Part]:
    """Read what whole cells hold: structure, uncovered variance and ranks."""
    seeds = run.parameters.thorough_seeds(data)

    def cells(work: Work) -> pd.DataFrame:
        table = with_plateaus(run, run.frame(work, data=data))
        return table[table["seed"].isin(seeds)]

    structure, spectra = cells(points), cells(ranks)
    states = [{row["state"]: row for row in rows} for rows in spectra["rows"]]  # the last of a state
    by_class = [np.subtract(each["distilled"]["by_class"], each["real"]["by_class"]) for each in states]
    shifts = [float(np.abs(differences).mean()) for differences in by_class]
    spectra = spectra.assign(rank=[each["distilled"]["truncation"] for each in states], shift=shifts)
    cosines = [each[f"distilled/{SUPPORT}"] for each in structure["structure"]]
    return {
        "jac20.kernel_cosine": (structure.assign(cosine=cosines), "cosine"),
        "uncovered_variance": (cells(synthetic), "uncovered"),
        "trunc_rank_50": (spectra, "rank"),
        "rank_shift": (spectra, "shift"),
    }


def best_table(means: pd.DataFrame) -> Html:
    """Show per data set the method that keeps most decisions for a twentieth of the Jacobian rows."""
    columns = (
        Column("Data", lambda row: NAMES[row.data]),
        Column("Best method", lambda row: LABELS[row.method]),
        Column("Images", "{size:,}"),
        Column("Decisions of exact regression", "{agreement:.1f} %"),
        Column("Jacobian rows", "{fewer:.0f} times fewer"),
    )
    return show_table(best_cheap(means), columns, "Measured here, with the network's logits as targets")


def paper_table(run: Run, metrics: Mapping[str, Metric]) -> Html:
    """Show the paper's numbers beside those of the small set-ups, and of the recorded pretrained network."""
    recorded = recorded_metrics("06_pretrained")
    rows = [
        {"label": label, "paper": paper, "large": _spread(recorded.get(f"dntk.pretrained.{name}"))}
        | {data: _spread(metrics[f"dntk.{prefix}.{name}"]) for data, prefix in prefixes(run).items()}
        for name, (label, paper) in PAPER.items()
    ]
    columns = (
        *(Column("What", "{label}"), Column("Paper", "{paper}")),
        *(Column(NAMES[data], lambda row, i=i: row[i]) for i, data in enumerate(prefixes(run), 4)),
        Column("EfficientNet-Lite0, recorded", "{large}"),
    )
    return show_table(pd.DataFrame(rows), columns, "The paper's numbers and ours")


def _spread(measured: Metric | None) -> str:
    values = measured.values if measured else [np.nan]
    average = f"{np.mean(values):.3f}" if max(values) <= 1 else f"{np.mean(values):.1f}"
    return f"{average} ± {np.std(values, ddof=1):.2g}" if len(values) > 1 else average.replace("nan", "–")


def noise_table(run: Run) -> Html:
    """Show the agreement of exact kernel regression with itself under a ridge ten times larger."""
    noise = [{"data": row.data, **row.noise} for row in run.frame(exact).itertuples()]
    columns = (
        Column("Data", lambda row: NAMES[row.data]),
        Column("Fitted to logits (%)", "{logits:.1f}"),
        Column("Fitted to labels (%)", "{labels:.1f}"),
    )
    means = pd.DataFrame(noise).groupby("data", sort=False, as_index=False).mean()
    return show_table(means, columns, "Agreement of exact regression with itself, ridge ten times larger")
