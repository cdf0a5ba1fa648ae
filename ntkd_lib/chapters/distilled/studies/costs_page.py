"""Tables of counted costs: stages of every build, and the paper's main claims counted in two ways."""

from collections.abc import Mapping
from statistics import mean

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ntkd_lib.chapters.distilled.methods import LABELS, NAMES
from ntkd_lib.chapters.distilled.page import FEWER, SUPPORT, prefixes
from ntkd_lib.chapters.distilled.studies.costs import even_images, paper_ledgers
from ntkd_lib.chapters.distilled.studies.points import points
from ntkd_lib.chapters.distilled.studies.reduction_page import rank_rows
from ntkd_lib.chapters.distilled.studies.streamed import streamed
from ntkd_lib.chapters.distilled.studies.synthetic import COUNTS, synthetic
from ntkd_lib.chapters.distilled.work import exact
from ntkd_lib.chapters.run import Run
from ntkd_lib.dntk.ledger import Ledger, break_even
from ntkd_lib.lab.evidence import Metric
from ntkd_lib.show import Column, Html, dots, show_table

LOST, ORDERS = 2.0, 1e5  # points, times: the contract's thresholds
ACCURACY, FIDELITY, RANK, SHIFT = 74.1, 76.1, 41.0, 5.0
STAGES = {
    "distillation of images": dots.ORANGE,
    "Jacobians": dots.BLUE,
    "tangent kernel": dots.PINK,
    "sketch": dots.GREEN,
    "projection": "#ece133",
    "inner products": dots.PURPLE,
    "decomposition": dots.RED,
    "choice of points": dots.BROWN,
    "forward passes": "#56b4e9",
    "regression": dots.GREY,
}
MEASURED = (
    (exact, "exact", None),
    (synthetic, "local-global", COUNTS[-1]),
    (streamed, "streamed", None),
    (points, "nystrom", 100),
    (points, "random", 100),
    (points, "pseudo", 1000),
)
CLAIMS = {
    "few": "1. prediction is kept with 20 times fewer Jacobians",
    "rank": "2. the rank of per-class kernels is low, and kept",
    "five": "3. five gradients, 100 times fewer, keep 76 % and 78 %",
    "orders": "4. up to five orders of magnitude cheaper",
}
HOLDS = {True: "holds", False: "fails"}


def both_ways(run: Run, means: pd.DataFrame, metrics: Mapping[str, Metric]) -> pd.DataFrame:
    """Count the paper's claims with the paper's accounting, and with all costs."""
    growth = rank_rows(run).groupby(["data", "state", "size"])["truncation"].mean()
    names = ("jac20.accuracy_drop", "s5.accuracy", "s5.fidelity", "trunc_rank_50", "rank_shift")
    rows = [count_orders()]
    for data, prefix in prefixes(run).items():
        own = means[(means["data"] == data) & (means["target"] == "logits")].set_index(["method", "size"])
        averages = {name: mean(metrics[f"dntk.{prefix}.{name}"].values) for name in names}
        counted = (count_few(own, averages), _count_ranks(growth[data], averages), count_five(own, averages))
        rows += [{"data": data, **row} for row in counted]
    return pd.DataFrame(rows).sort_values("claim", key=lambda c: c.map(list(CLAIMS).index), kind="stable")


def count_few(own: pd.DataFrame, averages: Mapping[str, float]) -> dict[str, object]:
    """Count the saving and the loss by 20 times fewer Jacobians."""
    exact, distilled = own.loc["exact"].iloc[0], own.loc[("distilled", SUPPORT)]
    lost, cheaper = averages["jac20.accuracy_drop"], exact["flop"] / distilled["flop"]
    return {
        "claim": "few",
        "paper": f"{distilled['fewer']:.0f} times fewer, {lost:.1f} points of accuracy lost",
        "paper_holds": bool(lost <= LOST and distilled["fewer"] >= FEWER),
        "whole": f"{cheaper:.1f} times fewer operations, distillation included",
        "whole_holds": bool(lost <= LOST and cheaper >= FEWER),
    }


def _count_ranks(growth: pd.Series, averages: Mapping[str, float]) -> dict[str, object]:
    rank, shift = averages["trunc_rank_50"], averages["rank_shift"]
    most = growth["trained"].index.max()
    last = growth["trained"][most]
    return {
        "claim": "rank",
        "paper": f"rank {rank:.1f} of the distilled points, {shift:.1f} away from real ones",
        "paper_holds": rank <= RANK and shift <= SHIFT,
        "whole": f"real points: {last:.1f} of {most}, and {growth['initial'][most]:.1f} before training",
        "whole_holds": bool(last <= RANK),
    }


def count_five(own: pd.DataFrame, averages: Mapping[str, float]) -> dict[str, object]:
    """Count the saving and the fidelity of five synthetic gradients."""
    exact, reduced = own.loc["exact"].iloc[0], own.loc[("local-global", 5)]
    accuracy, fidelity = averages["s5.accuracy"], averages["s5.fidelity"]
    holds = accuracy >= ACCURACY and fidelity >= FIDELITY
    cheaper = exact["flop"] / reduced["flop"]
    return {
        "claim": "five",
        "paper": f"accuracy {accuracy:.1f} %, fidelity {fidelity:.1f} %",
        "paper_holds": holds,
        "whole": f"{reduced['fewer']:.1f} times fewer rows, {cheaper:.1f} times fewer operations",
        "whole_holds": bool(holds and reduced["fewer"] >= 100),
    }


def count_orders() -> dict[str, object]:
    """Count the orders of magnitude at the paper's sizes."""
    exact, reduced = (paper_ledgers()[name] for name in ("exact", "DNTK"))
    products, fewer = (ledger.build["inner products"].flop for ledger in (exact, reduced))
    both = exact.build["Jacobians"].flop + products
    rows, whole = both / (reduced.build["Jacobians"].flop + fewer), both / reduced.built().flop
    return {
        "data": "paper",
        "claim": "orders",
        "paper": f"{products / fewer:,.0f} times fewer operations for inner products; "
        f"{rows:,.0f} times with Jacobians",
        "paper_holds": products / fewer >= ORDERS,
        "whole": f"{whole:.2f} times cheaper",
        "whole_holds": whole >= ORDERS,
    }


def both_table(counted: pd.DataFrame) -> Html:
    """Show claims with the paper's accounting and with all costs."""
    columns = (
        Column("Claim", lambda r: f"{CLAIMS[r.claim]} ({NAMES.get(r.data, 'the paper’s sizes')})"),
        Column("As the paper counts", lambda r: f"{HOLDS[r.paper_holds]}: {r.paper}"),
        Column("Everything counted", lambda r: f"{HOLDS[r.whole_holds]}: {r.whole}"),
    )
    return show_table(counted, columns, "Four claims, each counted in two ways")


def stage_seconds(run: Run) -> pd.DataFrame:
    """List the measured seconds of each stage of the main methods on the digits, mean over seeds."""
    data = run.parameters.data
    rows = [
        {"method": method, "stage": stage, "seconds": cost["seconds"], "flop": cost["flop"]}
        for seed in run.parameters.thorough_seeds(data)
        for work, method, size in MEASURED
        for record in run.select(work, data=data, seed=seed)
        for row in record.values["rows"]
        if (row["method"], row["target"]) == (method, "logits") and size in (None, row["size"])
        for stage, cost in row["ledger"]["build"].items()
    ]
    return pd.DataFrame(rows).groupby(["method", "stage"], sort=False, as_index=False).mean()


def draw_ledger(stages: pd.DataFrame) -> Figure:
    """Draw the costs of builds: measured seconds here, counted operations at the paper's sizes."""
    figure, both = plt.subplots(1, 2, figsize=(7.6, 3.8), width_ratios=(1.1, 1))
    here = stages.pivot(index="method", columns="stage", values="seconds").loc[stages["method"].unique()]
    there = {
        method: {stage: cost.flop / 1e15 for stage, cost in ledger.build.items()}
        for method, ledger in paper_ledgers().items()
    }
    bars = {
        "seconds of one core, MNIST": here.rename(index=LABELS),
        "PFLOP, paper's sizes": pd.DataFrame.from_dict(there, orient="index"),
    }
    for axes, (label, table) in zip(both, bars.items(), strict=True):
        table[[stage for stage in STAGES if stage in table]].plot.barh(
            stacked=True, ax=axes, width=0.65, legend=False, color=STAGES
        )
        axes.invert_yaxis()
        axes.set(xlabel=label, ylabel="")
    handles = {h.get_label(): h for axes in both for h in axes.containers}
    shown = [stage for stage in STAGES if stage in handles]
    figure.legend([handles[s] for s in shown], shown, loc="outside upper center", ncols=3, fontsize=9)
    return figure


def cost_table() -> Html:
    """Show builds and queries at the paper's sizes, and when each pays against exact."""
    ledgers = paper_ledgers()
    rows = [
        {
            "method": name,
            "rows": ledger.built().rows,
            "build": ledger.built().flop,
            "query": ledger.query.flop,
            "pays": "–" if name == "exact" else _queries(ledger, ledgers["exact"]),
        }
        for name, ledger in ledgers.items()
    ]
    columns = (
        Column("Method", "{method}"),
        Column("Jacobian rows", "{rows:,.0f}"),
        Column("FLOP of the build", lambda row: f"{row.build:.2e}"),
        Column("FLOP per query", lambda row: f"{row.query:.2e}"),
        Column("Cheaper than exact from", "{pays}"),
    )
    return show_table(pd.DataFrame(rows), columns, "The paper's sizes, by arithmetic")


def _queries(ledger: Ledger, exact: Ledger) -> str:
    count = break_even(ledger, exact)
    if np.isinf(count):
        return "never"
    return "the start" if count == 0 else f"{count:,.0f} queries"


def even_table() -> Html:
    """Show the number of images above which the distilled kernel is cheaper to build than the exact one."""
    backward = {"gradients of weights too, as the claim counts": 2.0, "weights held still": 1.0}
    rows = [{"label": label, "images": even_images(passes)} for label, passes in backward.items()]
    columns = (Column("Distillation counted with", "{label}"), Column("Images", "{images:,.0f}"))
    return show_table(pd.DataFrame(rows), columns, "Builds cost the same at")
