"""Tables and sentences of notebook 06."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ntkd_lib.chapters.distilled_ntk.both_ways import Counted
from ntkd_lib.dntk.ledger import Ledger, break_even
from ntkd_lib.lab.evidence import Metric
from ntkd_lib.show.distilled_ntk import LABELS, NAMES
from ntkd_lib.show.html import Html, element, table

PAPER = {
    "jac20.accuracy_drop": ("accuracy lost with 20 times fewer images (points)", "none"),
    "s5.accuracy": ("accuracy with five synthetic gradients (%)", "76"),
    "s5.fidelity": ("fidelity with five synthetic gradients (%)", "78"),
    "local_global.fidelity": ("fidelity of synthetic gradients, mean over 5 to 40 (%)", "above selection"),
    "best_selection.fidelity": ("fidelity of the best selection, mean over 5 to 40 (%)", "–"),
    "trunc_rank_50": ("truncation rank at 50 points a class", "31 to 41"),
    "rank_shift": ("shift of that rank by distillation", "none"),
    "uncovered_variance": ("variance that clusters leave uncovered (%)", "12 to 15"),
    "jac20.kernel_cosine": ("cosine of the kernel rebuilt from 100 distilled images", "kept"),
    "distilled_base.accuracy_drop": ("accuracy lost by training on distilled images (points)", "about 10"),
    "distilled_points.fidelity": ("fidelity of 100 distilled images (%)", "–"),
    "random_points.fidelity": ("fidelity of 100 random images (%)", "–"),
}


def answer(cheap: Mapping[str, pd.Series], costs: Mapping[str, float]) -> Html:
    """Say how far kernels can be compressed, and what that costs."""
    parts = [
        f"{NAMES[data]}: {LABELS[row['method']]} ({int(row['size']):,} images) keeps "
        f"{row['agreement']:.1f} % of exact "
        f"regression's decisions with {row['fewer']:.0f} times fewer Jacobian rows"
        for data, row in cheap.items()
    ]
    gram = costs["dntk.cost.exact_gram"] / costs["dntk.cost.reduced_gram"]
    whole = costs["dntk.cost.exact_kernel"] / costs["dntk.cost.dntk_total"]
    counted = f"At the paper's sizes inner products fall {gram:,.0f} times"
    counted += f"; with everything counted, the exact kernel costs {whole:.2f} times the distilled one"
    return element("p", element("strong", "Measured here. "), "; ".join(parts) + f". {counted}.")


def paper_table(metrics: Mapping[str, Metric], prefixes: Mapping[str, str]) -> Html:
    """Show the paper's numbers beside those of the small set-ups."""
    rows = [
        (label, paper, *(_spread(metrics[f"dntk.{prefix}.{name}"].values) for prefix in prefixes.values()))
        for name, (label, paper) in PAPER.items()
    ]
    headers = ("What", "Paper", *(NAMES[data] for data in prefixes))
    return table(headers, rows, caption="The paper's numbers and those of the small set-ups")


def _spread(values: Sequence[float]) -> str:
    mean = f"{np.mean(values):.3f}" if max(values) <= 1 else f"{np.mean(values):.1f}"
    return f"{mean} ± {np.std(values, ddof=1):.2g}" if len(values) > 1 else mean


def method_table(means: pd.DataFrame, shown: Sequence[tuple[str, int]], data: str) -> Html:
    """Show main methods with scores and costs."""
    own = means[means["data"] == data].set_index(["method", "size", "target"])
    rows = []
    for method, size in shown:
        if (method, size, "logits") not in own.index:
            continue
        logits, labels = own.loc[(method, size, "logits")], own.loc[(method, size, "labels")]
        rows.append(
            (
                f"{LABELS.get(method, method)}, {size:,}",
                f"{logits['accuracy']:.1f}",
                f"{logits['fidelity']:.1f}",
                f"{logits['agreement']:.1f}",
                f"{labels['accuracy']:.1f}",
                f"{labels['agreement']:.1f}",
                f"{logits['rows']:,.0f}",
                f"{logits['flop'] / 1e9:,.0f}",
                f"{logits['seconds']:.1f}",
                f"{logits['mebibytes']:,.0f}",
                f"{logits['query_flop'] / 1e6:,.0f}",
            )
        )
    headers = ("Method, size", "Accuracy", "Fidelity", "Agreement", "Accuracy, labels", "Agreement, labels")
    headers += ("Jacobian rows", "GFLOP", "Seconds", "Peak MiB", "MFLOP a query")
    return table(headers, rows, caption=f"{NAMES[data]}: scores (%) and what the build takes")


def fewest_table(fewest: pd.DataFrame) -> Html:
    """Show where each method reaches 99 % agreement with exact kernel regression."""
    kept = fewest[
        fewest["method"].isin(
            ("random", "pivoted", "distilled", "nystrom", "pseudo", "last layer", "streamed")
        )
    ]
    rows = [
        (
            f"{NAMES[row.data]}, {row.target}: {LABELS[row.method]}",
            "not reached" if np.isnan(row.rows) else f"{row.rows:,.0f}",
            _times(row.fewer),
            "–" if np.isnan(row.cheap_agreement) else f"{row.cheap_agreement:.1f}",
        )
        for row in kept.itertuples()
    ]
    headers = ("Data, target: method", "Rows for 99 %", "Times fewer", "Agreement at 20 times fewer (%)")
    return table(headers, rows, caption="Jacobian rows, build included, at which 99 % agreement is reached")


def _times(value: float) -> str:
    if np.isnan(value):
        return "–"
    return "no row needed" if np.isinf(value) else f"{value:.1f}"


def cost_table(ledgers: Mapping[str, Ledger]) -> Html:
    """Show builds and queries at the paper's sizes, and when each pays against exact."""
    rows = [
        (
            name,
            f"{ledger.built().rows:,.0f}",
            f"{ledger.built().flop:.2e}",
            f"{ledger.query.flop:.2e}",
            "–" if name == "exact" else _queries(break_even(ledger, ledgers["exact"])),
        )
        for name, ledger in ledgers.items()
    ]
    headers = ("Method", "Jacobian rows", "FLOP of the build", "FLOP a query", "Cheaper than exact from")
    return table(headers, rows, caption="The paper's sizes, by arithmetic")


def _queries(count: float) -> str:
    if np.isinf(count):
        return "never"
    return "the start" if count == 0 else f"{count:,.0f} queries"


def sketch_table(rows: Sequence[Mapping[str, float]]) -> Html:
    """Show errors of sketches against their stated bounds."""
    cells = [
        (
            str(row["sketch"]),
            f"{row['mean_ratio']:.2f}",
            f"{row['worst_ratio']:.2f}",
            f"{row['beyond']:.2f} %",
            str(row["draws"]),
        )
        for row in rows
    ]
    headers = ("Sketch", "Squared error / stated, mean", "Worst entry", "Beyond the 5 % bound", "Draws")
    return table(headers, cells, caption="Sketch errors against what is stated for them")


def memory_table(rows: Sequence[Mapping[str, float]]) -> Html:
    """Show the peak memory of the streamed pass at several sizes."""
    cells = [
        (f"{row['images']:,}", f"{row['peak']:.0f}", f"{row['features']:.0f}", f"{row['kernel']:.0f}")
        for row in rows
    ]
    headers = ("Images", "Peak of the process (MiB)", "All features (MiB)", "Exact kernel (MiB)")
    return table(headers, cells, caption="Memory of the streamed pass")


def noise_table(noise: Mapping[str, Mapping[str, float]]) -> Html:
    """Show how far exact regression agrees with itself under another ridge."""
    rows = [
        (NAMES[data], f"{found['logits']:.1f}", f"{found['labels']:.1f}") for data, found in noise.items()
    ]
    headers = ("Data", "Fitted to logits (%)", "Fitted to labels (%)")
    return table(headers, rows, caption="Agreement of exact regression with itself, ridge ten times larger")


def certificate_table(certificates: pd.DataFrame) -> Html:
    """Show sketched kernels against the ridge, and Frequent Directions against their bound."""
    rows = [
        (
            f"{NAMES[row.data]}, seed {row.seed}",
            f"{row.frobenius:.3f}",
            f"{row.logits:,.0f}",
            f"{row.labels:,.0f}",
            f"{100 * row.error:.2f} %",
            f"{100 * row.bound:.2f} %",
        )
        for row in certificates.itertuples()
    ]
    headers = ("Data", "Relative error", "Error / ridge, logits", "Error / ridge, labels")
    headers += ("Subspace error, of the trace", "Its bound")
    return table(headers, rows, caption="Is the sketched kernel certified? A ratio of 1 would be needed")


def even_table(even: Mapping[str, float]) -> Html:
    """Show from how many images on the distilled kernel is cheaper to build than the exact one."""
    rows = [(name, f"{count:,.0f}") for name, count in even.items()]
    return table(("Distillation counted with", "Images"), rows, caption="Builds cost the same at")


def both_table(counted: Sequence[Counted]) -> Html:
    """Show claims as the paper counts and with everything counted."""
    rows = [
        (
            f"{each.claim} ({NAMES.get(each.data, 'the paper’s sizes')})",
            f"{_held(each.paper_holds)}: {each.paper}",
            f"{_held(each.whole_holds)}: {each.whole}",
        )
        for each in counted
    ]
    headers = ("Claim", "As the paper counts", "Everything counted")
    return table(headers, rows, caption="Four claims, each counted in two ways")


def _held(holds: bool) -> str:
    return "holds" if holds else "fails"


def energy_table(energy: pd.DataFrame) -> Html:
    """Show images tuned to the tangent kernel beside feature matching of equal work."""
    rows = [
        (
            f"{NAMES[row.data]}: {LABELS[row.method]}",
            f"{row.captured:.2f}",
            f"{row.agreement:.1f}",
            f"{row.accuracy:.1f}",
            f"{row.rows:,.0f}",
            f"{row.flop / 1e9:,.0f}",
        )
        for row in energy.itertuples()
    ]
    headers = (
        "Data: images",
        "Energy captured (%)",
        "Agreement (%)",
        "Accuracy (%)",
        "Jacobian rows",
        "GFLOP",
    )
    return table(headers, rows, caption="100 images tuned to the kernel, and to features with equal work")
