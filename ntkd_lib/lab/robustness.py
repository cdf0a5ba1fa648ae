"""How firm verdicts are: against tolerance, number of seeds, reruns and the number of orderings."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ntkd_lib.lab.claims import Ordering
from ntkd_lib.lab.rules import Decision, decide, estimate, tolerance_needed
from ntkd_lib.lab.statistics import draw_reruns, holm, ordering_p
from ntkd_lib.lab.verdicts import Verdict

RERUNS = 500


@dataclass(frozen=True)
class Step:
    """The rule applied to the first seeds: its decision, and the tolerance that it would need to hold."""

    seeds: int
    decision: Decision
    tolerance: float


def steps_by_seeds(verdict: Verdict) -> list[Step]:
    """Apply a claim's rule to the first 1, 2, … seeds, without the checks that evidence must pass."""
    if not verdict.single:
        return []
    single, below, claim = verdict.single, verdict.below, verdict.claim
    counts = [verdict.seeds] if verdict.interval is None else range(1, verdict.seeds + 1)
    parts = {count: estimate(claim, single[:count], below[:count], seeds=count) for count in counts}
    return [
        Step(count, decide(claim, part), tolerance_needed(claim, part))
        for count, part in parts.items()
        if not below or sum(part.below)
    ]


def flip_probability(verdict: Verdict) -> float | None:
    """Estimate how often an honest rerun with as many new seeds would change a verdict.

    The share of 500 reruns by the model of `draw_reruns`, generator seed 0, on which the rule decides
    otherwise. None without a verdict, for one number for all seeds, and for fewer than three seeds.
    """
    if not verdict.settled or verdict.interval is None or verdict.seeds < 3:
        return None
    samples = np.array([verdict.single, *([verdict.below] if verdict.below else [])])
    claim, draws = verdict.claim, draw_reruns(samples, RERUNS).tolist()
    runs = (estimate(claim, *draw, seeds=verdict.seeds) for draw in [samples.tolist(), *draws])
    own, *reruns = (decide(claim, run) for run in runs)
    return sum(rerun != own for rerun in reruns) / RERUNS


def adjusted_orderings(verdicts: Iterable[Verdict]) -> dict[str, float]:
    """Adjust the one-sided paired t-tests of all orderings with a verdict by Holm's method, by claim."""
    p_values = {
        verdict.claim.id: p
        for verdict in verdicts
        if isinstance(verdict.claim.rule, Ordering)
        and verdict.settled
        and verdict.claim.replacement is None
        and (p := ordering_p(verdict.single, verdict.claim.rule.margin)) is not None
    }
    return holm(p_values)
