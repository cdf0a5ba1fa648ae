"""Every arm with few labels: what was tried, what was chosen, and what came out on fresh seeds."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from statistics import mean
from typing import Any

import pandas as pd

from ntkd_lib.chapters.classification import NOTEBOOK
from ntkd_lib.chapters.classification.studies.few_labels import ARMS, SPACE, accuracy_name
from ntkd_lib.lab.claims import load_claims
from ntkd_lib.lab.evidence import Metric
from ntkd_lib.lab.frame import seed_rows, summarise
from ntkd_lib.lab.protocols import ProtocolError, recorded_metrics
from ntkd_lib.lab.statistics import holm, ordering_p, simultaneous_intervals
from ntkd_lib.lab.trials import choose, recorded_trials
from ntkd_lib.show.columns import INTERVAL, Column

CONFIRMED = ("labels1-matched", "labels1-others")
PAIRS = tuple(("ntkd", other) for other in ("none", "ntkd_untrained_teacher", "trace_only"))
SCORES = (
    Column("Student", "{label}"),
    Column("Chosen settings", "{settings}"),
    Column("Trials", "{trials}"),
    Column("Validation, tuning seeds", "{validation:.2f} %"),
    Column("Test, fresh seeds", "{mean:.2f} %"),
    INTERVAL,
    Column("Minus labels only", "{gap:+.2f}"),
    Column("95 %, all at once", "[{gap_low:+.2f}, {gap_high:+.2f}]"),
    Column("Seeds", "{seeds}"),
)
GAPS = (
    Column("Pair", "{label}"),
    Column("Difference", "{mean:+.2f}"),
    Column("95 %, all at once", "[{low:+.2f}, {high:+.2f}]"),
    Column("Holm's p", "{p:.3g}"),
    Column("Seeds", "{seeds}"),
)
TRIALS = (
    Column("Student", "{label}"),
    Column("Settings", "{settings}"),
    Column("Validation by tuning seed", "{single}"),
    Column("Mean", "{validation:.2f} %"),
    Column("Chosen", lambda row: "yes" if row.chosen else ""),
)


def few_trials() -> pd.DataFrame:
    """List every recorded trial with 1 % of the labels, the best of an arm first."""
    rows: list[dict[str, object]] = []
    for arm, protocols in _tuned().items():
        best = None
        with suppress(ProtocolError):  # nothing is chosen before all trials of an arm are recorded
            best = choose(protocols, SPACE, arm)
        tried = sorted(recorded_trials(protocols, SPACE, arm), key=lambda trial: -mean(trial[1].values))
        rows += [_trial(arm, settings, metric, chosen=settings == best) for settings, metric in tried]
    return pd.DataFrame(rows)


def _tuned() -> dict[str, list[str]]:
    """List the protocols of each arm's trials."""
    registered = [load_claims().protocols[name].parameters["arms"] for name in CONFIRMED]
    return registered[0] | {"weight_zero": registered[0]["ntkd"]} | registered[1]


def _trial(arm: str, settings: Mapping[str, Any], metric: Metric, *, chosen: bool) -> dict[str, object]:
    single = ", ".join(f"{value:.2f}" for value in metric.values)
    words = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in settings.items())
    scores = {"single": single, "validation": mean(metric.values), "chosen": chosen}
    return {"method": arm, "label": ARMS[arm].label, "settings": words, **scores}


def few_scores() -> pd.DataFrame:
    """List every arm: chosen settings, validation and test accuracy, and difference to labels alone."""
    tests = _tests()
    if "none" not in set(tests["method"]):
        return pd.DataFrame()
    tried = few_trials()
    chosen, counts = tried[tried["chosen"]].set_index("method"), tried["method"].value_counts()
    gaps = few_gaps([(arm, "none") for arm in tests["method"].unique() if arm != "none"])
    if gaps.empty:
        return gaps
    gaps = gaps.set_index("greater")[["mean", "low", "high"]].set_axis(["gap", "gap_low", "gap_high"], axis=1)
    means = summarise(tests, "accuracy", ["method"])
    means = means.assign(trials=means["method"].map(counts))
    return means.join(chosen, on="method").join(gaps, on="method")


def _tests() -> pd.DataFrame:
    """List the test accuracies of the confirmed arms by seed, in the order of arms."""
    recorded = {
        name: metric
        for each in CONFIRMED
        for name, metric in recorded_metrics(f"{NOTEBOOK[:2]}_{each}").items()
    }
    return seed_rows(recorded, {(arm,): accuracy_name(arm) for arm in ARMS}, ["method", "seed", "accuracy"])


def few_gaps(pairs: Sequence[tuple[str, str]] = PAIRS) -> pd.DataFrame:
    """Compare pairs of arms seed by seed: intervals that hold all at once, and Holm's p of "is above"."""
    tests = _tests().pivot(index="seed", columns="method", values="accuracy")
    gaps = pd.DataFrame({(a, b): tests[a] - tests[b] for a, b in pairs if {a, b} <= {*tests}}).dropna()
    if len(gaps) < 2:  # seeds
        return pd.DataFrame()
    p_values = holm({f"{a} {b}": ordering_p(list(gaps[a, b])) for a, b in gaps})
    rows = [
        {"greater": a, "label": f"{ARMS[a].label} − {ARMS[b].label}", "p": p_values[f"{a} {b}"]}
        for a, b in gaps
    ]
    ends = pd.DataFrame(simultaneous_intervals(gaps.to_numpy().T), columns=["low", "high"])
    return pd.DataFrame(rows).assign(mean=gaps.mean().to_list(), seeds=len(gaps)).join(ends)
