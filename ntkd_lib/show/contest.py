"""Tables of a contest: settings chosen among recorded trials, and the chosen arms on fresh seeds."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from statistics import mean
from typing import Any

import pandas as pd

from ntkd_lib.lab import ProtocolError, recorded_metrics, seed_rows, summarise
from ntkd_lib.lab.claims import RegisteredProtocol, load_claims
from ntkd_lib.lab.statistics import holm, ordering_p, simultaneous_intervals
from ntkd_lib.lab.trials import choose, recorded_trials
from ntkd_lib.show.columns import DIFFERENCE, INTERVAL, SEEDS, Column


@dataclass(frozen=True)
class Contest:
    """Arms that are compared seed by seed, each with its own trials."""

    space: str  # what the names of trials' metrics begin with
    labels: Mapping[str, str]  # of arms, in the order of tables
    confirmed: Sequence[str]  # protocols of the fresh seeds
    metric: str  # its name on fresh seeds, with {} for the arm
    base: str  # arm that all others are compared with

    @property
    def entries(self) -> list[RegisteredProtocol]:
        """List what the contract registers of the confirmed protocols."""
        return [load_claims().protocols[name] for name in self.confirmed]

    def tuned(self) -> dict[str, list[str]]:
        """List the protocols of each arm's trials; arms that are tried and not confirmed come last."""
        protocols: dict[str, list[str]] = {}
        for entry in self.entries:
            arms = entry.parameters["arms"]
            named = isinstance(arms, Mapping)
            protocols |= arms if named else dict.fromkeys(arms, entry.parameters["tuning"])
        for name in sorted({name for each in protocols.values() for name in each}):
            for arm in load_claims().protocols[name].parameters["trials"]:
                protocols.setdefault(arm, [name])
        return protocols

    def trials(self) -> pd.DataFrame:
        """List every recorded trial, the best of an arm first."""
        rows: list[dict[str, object]] = []
        for arm, protocols in self.tuned().items():
            best = None
            with suppress(ProtocolError):  # nothing is chosen before all trials of an arm are recorded
                best = choose(protocols, self.space, arm)
            tried = recorded_trials(protocols, self.space, arm)
            for settings, metric in sorted(tried, key=lambda trial: -mean(trial[1].values)):
                single = ", ".join(f"{value:.2f}" for value in metric.values)
                row = {"method": arm, "label": self.labels[arm], "settings": in_words(settings)}
                row |= {"validation": mean(metric.values), "single": single, "chosen": settings == best}
                rows.append(row)
        return pd.DataFrame(rows)

    def tests(self) -> pd.DataFrame:
        """List the confirmed arms by seed, in the order of arms."""
        files = [f"{e.notebook[:2]}_{name}" for name, e in zip(self.confirmed, self.entries, strict=True)]
        recorded = {name: metric for file in files for name, metric in recorded_metrics(file).items()}
        names = {(arm,): self.metric.format(arm) for arm in self.labels}
        return seed_rows(recorded, names, ["method", "seed", "value"])

    def scores(self) -> pd.DataFrame:
        """List every arm: chosen settings, scores of both kinds, and difference to the base."""
        tests = self.tests()
        gaps = self.gaps([(arm, self.base) for arm in tests["method"].unique() if arm != self.base])
        if gaps.empty:
            return gaps
        gaps = gaps.set_index("greater").rename(columns={"mean": "gap", "low": "gap_low", "high": "gap_high"})
        tried = self.trials()
        chosen, counts = tried[tried["chosen"]].set_index("method"), tried["method"].value_counts()
        means = summarise(tests, "value", ["method"]).assign(trials=lambda t: t["method"].map(counts))
        shown = ["gap", "gap_low", "gap_high", "wins"]
        return means.join(chosen, on="method").join(gaps[shown], on="method")

    def gaps(self, pairs: Sequence[tuple[str, str]]) -> pd.DataFrame:
        """Compare pairs of arms seed by seed: intervals that hold all at once, and Holm's p of "is above"."""
        tests = self.tests().pivot(index="seed", columns="method", values="value")
        gaps = pd.DataFrame({(a, b): tests[a] - tests[b] for a, b in pairs if {a, b} <= {*tests}}).dropna()
        if len(gaps) < 2:  # seeds
            return pd.DataFrame()
        p_values = holm({f"{a} {b}": ordering_p(list(gaps[a, b])) for a, b in gaps})
        own = self.labels
        rows = [{"greater": a, "label": f"{own[a]} − {own[b]}", "p": p_values[f"{a} {b}"]} for a, b in gaps]
        ends = pd.DataFrame(simultaneous_intervals(gaps.to_numpy().T), columns=["low", "high"])
        wins = gaps.gt(0).sum().to_list()
        return pd.DataFrame(rows).assign(mean=gaps.mean().to_list(), wins=wins, seeds=len(gaps)).join(ends)


def stack(contests: Mapping[Any, Contest], by: str, table: Callable[[Contest], pd.DataFrame]) -> pd.DataFrame:
    """Put a table of each contest below each other; the column `by` tells them apart."""
    tables = [table(each).assign(**{by: name}) for name, each in contests.items()]
    return pd.concat([part for part in tables if len(part)] or tables)


def in_words(settings: Mapping[str, object]) -> str:
    """Name the settings of a trial."""
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in settings.items())


def trial_columns(arm: str, score: str, unit: str) -> tuple[Column, ...]:
    """Name the columns of a table of trials."""
    return (
        Column(arm, "{label}"),
        Column("Settings", "{settings}"),
        Column(f"{score} by tuning seed", "{single}"),
        Column("Mean", f"{{validation:.2f}} {unit}"),
        Column("Chosen", lambda row: "yes" if row.chosen else ""),
    )


def score_columns(arm: str, base: str, unit: str) -> tuple[Column, ...]:
    """Name the columns of a table of arms."""
    return (
        Column(arm, "{label}"),
        Column("Chosen settings", "{settings}"),
        Column("Trials", "{trials}"),
        Column("Tuning seeds", f"{{validation:.2f}} {unit}"),
        Column("Fresh seeds", f"{{mean:.2f}} {unit}"),
        INTERVAL,
        Column(f"Minus {base}", "{gap:+.2f}"),
        Column("95 %, its group at once", "[{gap_low:+.2f}, {gap_high:+.2f}]"),
        SEEDS,
    )


GAPS = (
    Column("Pair", "{label}"),
    DIFFERENCE[0],
    Column("95 %, its group at once", "[{low:+.2f}, {high:+.2f}]"),
    Column("Holm's p, first above", "{p:.3g}"),
    Column("Ahead", "{wins} of {seeds}"),
)
