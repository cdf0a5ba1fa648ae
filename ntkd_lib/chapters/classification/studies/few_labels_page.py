"""Every arm with few labels: what was tried, what was chosen, and what came out on fresh seeds."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from statistics import mean
from typing import Any

import numpy as np
import pandas as pd

from ntkd_lib.chapters.classification import NOTEBOOK
from ntkd_lib.chapters.classification.studies.few_labels import ARMS, SPACE, accuracy_name
from ntkd_lib.lab.evidence import Metric
from ntkd_lib.lab.protocols import ProtocolError, recorded_metrics
from ntkd_lib.lab.statistics import holm, interval_ends, ordering_p, simultaneous_intervals
from ntkd_lib.lab.trials import choose, recorded_trials
from ntkd_lib.show.columns import INTERVAL, Column

TUNING = {
    "none": ("labels1-tuning-labels", "labels1-tuning-labels-wider"),
    **dict.fromkeys(
        ("ntkd", "weight_zero", "ntkd_untrained_teacher", "trace_only"), ("labels1-tuning-kernels",)
    ),
}
CONFIRMED = ("labels1-matched",)
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
    rows = [_trial(arm, *trial, chosen=trial[0] == best) for arm, best, all_ in _tuned() for trial in all_]
    table = pd.DataFrame(rows, columns=["method", "label", "settings", "single", "validation", "chosen"])
    order = table["method"].map(list(ARMS).index)
    return table.assign(order=order).sort_values(
        ["order", "validation"], ascending=[True, False], kind="stable"
    )


def _tuned() -> list[tuple[str, Mapping[str, Any], list[tuple[dict[str, Any], Metric]]]]:
    """List the arms whose trials are complete: name, chosen settings, trials."""
    complete = []
    for arm, protocols in TUNING.items():
        with suppress(ProtocolError):
            complete.append((arm, choose(protocols, SPACE, arm), recorded_trials(protocols, SPACE, arm)))
    return complete


def _trial(arm: str, settings: Mapping[str, Any], metric: Metric, *, chosen: bool) -> tuple[object, ...]:
    single = ", ".join(f"{value:.2f}" for value in metric.values)
    return arm, ARMS[arm].label, _words(settings), single, mean(metric.values), chosen


def _words(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in settings.items())


def few_scores() -> pd.DataFrame:
    """List every arm: chosen settings, validation and test accuracy, and difference to labels alone."""
    tests = _tests()
    if "none" not in tests:
        return pd.DataFrame()
    tried = few_trials()
    chosen = tried[tried["chosen"]].set_index("method")
    counts = tried["method"].value_counts()
    gaps = few_gaps([(arm, "none") for arm in tests if arm != "none"]).set_index("greater")
    rows = []
    for arm, values in tests.items():
        low, high = interval_ends(list(values))
        row = {
            "label": ARMS[arm].label,
            "mean": values.mean(),
            "low": low,
            "high": high,
            "seeds": len(values),
        }
        row |= {name: chosen[name][arm] for name in ("settings", "validation")} | {"trials": counts[arm]}
        row |= {f"gap{end}": gaps[name].get(arm, np.nan) for end, name in _ENDS.items()}
        rows.append(row)
    return pd.DataFrame(rows)


_ENDS = {"": "mean", "_low": "low", "_high": "high"}


def _tests() -> dict[str, pd.Series]:
    """Collect the test accuracies of the confirmed arms by seed, in the order of arms."""
    recorded = {
        name: metric
        for each in CONFIRMED
        for name, metric in recorded_metrics(f"{NOTEBOOK[:2]}_{each}").items()
    }
    named = {arm: recorded[accuracy_name(arm)] for arm in ARMS if accuracy_name(arm) in recorded}
    return {arm: pd.Series(metric.values, metric.seeds) for arm, metric in named.items()}


def few_gaps(pairs: Sequence[tuple[str, str]] = PAIRS) -> pd.DataFrame:
    """Compare pairs of arms seed by seed: intervals that hold all at once, and Holm's p of "is above"."""
    tests = _tests()
    gaps = {(a, b): (tests[a] - tests[b]).dropna() for a, b in pairs if {a, b} <= tests.keys()}
    if not gaps:
        return pd.DataFrame()
    intervals = simultaneous_intervals(np.array([list(gap) for gap in gaps.values()]))
    p_values = holm({f"{a} {b}": ordering_p(list(gap)) for (a, b), gap in gaps.items()})
    return pd.DataFrame(
        {
            "greater": a,
            "label": f"{ARMS[a].label} − {ARMS[b].label}",
            "mean": gap.mean(),
            "low": low,
            "high": high,
            "p": p_values[f"{a} {b}"],
            "seeds": len(gap),
        }
        for ((a, b), gap), (low, high) in zip(gaps.items(), intervals, strict=True)
    )
