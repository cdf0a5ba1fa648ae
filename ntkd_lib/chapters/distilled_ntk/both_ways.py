"""The paper's main claims in the small set-ups, once as the paper counts and once with everything counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import mean

import pandas as pd

from ntkd_lib.chapters.distilled_ntk.cells import FEW
from ntkd_lib.chapters.distilled_ntk.paper_costs import paper_ledgers
from ntkd_lib.chapters.distilled_ntk.summary import PREFIXES, prefixes, ranks
from ntkd_lib.chapters.run import Run
from ntkd_lib.lab.evidence import Metric

LOST, FEWER, ORDERS = 2.0, 20.0, 1e5  # points, times, times: the contract's thresholds
ACCURACY, FIDELITY, RANK, SHIFT = 74.1, 76.1, 41.0, 5.0
SUPPORT = 10 * FEW


@dataclass(frozen=True)
class Counted:
    """One claim on one data set, counted in two ways.

    Attributes:
        claim: What is claimed.
        data: Data set, or ``paper``: its own sizes, by arithmetic.
        paper: What is found as the paper counts.
        paper_holds: Whether that keeps the contract's threshold.
        whole: What is found with everything counted.
        whole_holds: Whether the same threshold is kept then.
    """

    claim: str
    data: str
    paper: str
    paper_holds: bool
    whole: str
    whole_holds: bool


def both_ways(run: Run, means: pd.DataFrame, metrics: Mapping[str, Metric]) -> list[Counted]:
    """Count the paper's claims in both ways."""
    growth = ranks(run).groupby(["data", "state", "size"])["truncation"].mean()
    found = []
    for data in prefixes(run):
        own = means[(means["data"] == data) & (means["target"] == "logits")].set_index(["method", "size"])
        known = {name: mean(metrics[f"dntk.{PREFIXES[data]}.{name}"].values) for name in _NAMES}
        found += [_fewer(data, own, known), _rank(data, growth[data], known), _five(data, own, known)]
    return [*sorted(found, key=lambda c: c.claim), _orders()]


_NAMES = ("jac20.accuracy_drop", "s5.accuracy", "s5.fidelity", "trunc_rank_50", "rank_shift")


def _fewer(data: str, own: pd.DataFrame, known: Mapping[str, float]) -> Counted:
    exact, made = own.loc["exact"].iloc[0], own.loc[("distilled", SUPPORT)]
    drop, cheaper = known["jac20.accuracy_drop"], exact["flop"] / made["flop"]
    return Counted(
        "1. prediction is kept with 20 times fewer Jacobians",
        data,
        f"{made['fewer']:.0f} times fewer, {drop:.1f} points of accuracy lost",
        bool(drop <= LOST and made["fewer"] >= FEWER),
        f"{cheaper:.1f} times fewer operations, distillation included",
        bool(drop <= LOST and cheaper >= FEWER),
    )


def _rank(data: str, growth: pd.Series, known: Mapping[str, float]) -> Counted:
    rank, shift = known["trunc_rank_50"], known["rank_shift"]
    most = growth["trained"].index.max()
    last = growth["trained"][most]
    return Counted(
        "2. the rank of per-class kernels is low, and kept",
        data,
        f"rank {rank:.1f} of the distilled points, {shift:.1f} away from real ones",
        rank <= RANK and shift <= SHIFT,
        f"real points: {last:.1f} of {most}, and {growth['initial'][most]:.1f} before training",
        bool(last <= RANK),
    )


def _five(data: str, own: pd.DataFrame, known: Mapping[str, float]) -> Counted:
    exact, made = own.loc["exact"].iloc[0], own.loc[("local-global", 5)]
    kept = known["s5.accuracy"] >= ACCURACY and known["s5.fidelity"] >= FIDELITY
    scores = f"accuracy {known['s5.accuracy']:.1f} %, fidelity {known['s5.fidelity']:.1f} %"
    return Counted(
        "3. five gradients, 100 times fewer, keep 76 % and 78 %",
        data,
        scores,
        kept,
        f"{made['fewer']:.1f} times fewer rows, {exact['flop'] / made['flop']:.1f} times fewer operations",
        bool(kept and made["fewer"] >= 100),
    )


def _orders() -> Counted:
    exact, reduced = (paper_ledgers()[name] for name in ("exact", "DNTK"))
    gram = exact.build["inner products"].flop / reduced.build["inner products"].flop
    rows = reduced.build["Jacobians"].flop + reduced.build["inner products"].flop
    both = exact.build["Jacobians"].flop + exact.build["inner products"].flop
    whole = both / reduced.built().flop
    return Counted(
        "4. up to five orders of magnitude cheaper",
        "paper",
        f"{gram:.1e} times fewer operations for inner products; {both / rows:,.0f} times with Jacobians",
        gram >= ORDERS,
        f"{whole:.2f} times cheaper",
        whole >= ORDERS,
    )
