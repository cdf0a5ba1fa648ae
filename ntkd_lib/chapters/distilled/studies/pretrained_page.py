"""The recorded pipeline on a network trained on ImageNet: scores of reductions, and uncovered variance."""

from itertools import product
from statistics import mean

import pandas as pd

from ntkd_lib.chapters.distilled.methods import LABELS
from ntkd_lib.chapters.distilled.protocols import REDUCED, SCORES
from ntkd_lib.chapters.distilled.studies.synthetic import COUNTS, ENERGIES
from ntkd_lib.dntk.gradients import CLUSTERS
from ntkd_lib.lab.protocols import recorded_metrics
from ntkd_lib.show.columns import Column, show_recorded
from ntkd_lib.show.html import Html

FILE, PREFIX = "06_pretrained", "dntk.pretrained."
PERCENTS = [round(100 * energy) for energy in ENERGIES]


def reduction_table() -> Html:
    """Show accuracy and fidelity of synthetic gradients and of selected points, mean over seeds."""
    means = {name: mean(metric.values) for name, metric in recorded_metrics(FILE).items()}
    rows = [
        {"label": f"{LABELS.get(method, method)}, {score}"}
        | {f"s{count}": means[f"{PREFIX}{key}s{count}.{score}"] for count in COUNTS}
        for (key, method), score in product(REDUCED.items(), SCORES)
        if f"{PREFIX}{key}s{COUNTS[0]}.{score}" in means
    ]
    columns = (
        Column("Projected gradients of 100 distilled images (%)", "{label}"),
        *(Column(f"s = {count}", f"{{s{count}:.1f}}") for count in COUNTS),
    )
    return show_recorded(pd.DataFrame(rows), columns, "Reductions on a network trained on ImageNet")


def uncovered_table() -> Html:
    """Show the share of the trace that clusters leave uncovered, by their number and the energy kept."""
    means = {name: mean(metric.values) for name, metric in recorded_metrics(FILE).items()}
    rows = [
        {"clusters": h} | {f"e{e}": means[f"{PREFIX}uncovered.h{h}.e{e}"] for e in PERCENTS}
        for h in CLUSTERS
        if f"{PREFIX}uncovered.h{h}.e95" in means
    ]
    columns = (
        Column("Clusters", "{clusters}"),
        *(Column(f"{e} % of the energy", f"{{e{e}:.1f}} %") for e in PERCENTS),
    )
    return show_recorded(pd.DataFrame(rows), columns, "Variance that cluster eigenspaces leave uncovered")
