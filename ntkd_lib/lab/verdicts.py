"""Verdicts: apply a claim's rule to evidence, exactly as the header of `claims.yml` says.

A claim that one run of a protocol fulfils and another one does not is undecided, not judged by either.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from ntkd_lib.lab import checks
from ntkd_lib.lab.claims import Claim, Ordering, RatioAtLeast, load_claims
from ntkd_lib.lab.evidence import Evidence, collect_evidence, is_rerun, recorded_evidence
from ntkd_lib.lab.parameters import TIERS
from ntkd_lib.lab.rules import Decision, Estimate, decide, decimal_sum, estimate, missed, side
from ntkd_lib.lab.statistics import Interval, fieller_interval, student_interval

NoVerdict = Literal["undecided", "not assessed"]
Status = Decision | NoVerdict
Outcome = Literal["exceeded", "reproduced", "claim failed", "baseline stronger", "baseline weaker", NoVerdict]


@dataclass(frozen=True)
class Source:
    """The run that a verdict rests on."""

    recorded: bool  # whether it is an earlier long run
    tier: str
    device: str  # what it ran on, the kind of processor if known; else empty
    date: str  # YYYY-MM-DD; empty if not known

    def __str__(self) -> str:
        """Name the run; a live one by its tier alone, so that its page can be made again."""
        when = [f"recorded on {self.date or 'an unknown day'}", self.device] if self.recorded else ["live"]
        return ", ".join(filter(None, [*when, f"tier {self.tier}"]))


@dataclass(frozen=True)
class Verdict:
    """What became of a claim."""

    claim: Claim
    status: Status
    reason: str = ""  # why not assessed or undecided, or what was missed; else empty
    value: float | None = None  # mean, mean difference, ratio or mean slope, even if it decides nothing
    interval: Interval | None = None  # the contract's 95 % bootstrap; None for one number for all seeds
    seeds: int = 0
    qualifier: Literal["", "simulated", "proxy"] = ""
    side: Literal["", "above", "below"] = ""  # where a band was missed
    source: Source | None = None
    single: tuple[float, ...] = ()  # numbers by seed, of which `value` is the mean; the numerators of a ratio
    below: tuple[float, ...] = ()  # the denominators of a ratio
    run: Evidence | None = field(default=None, repr=False, compare=False)
    reruns: tuple["Verdict", ...] = ()  # by other runs of the same protocol, each with a number

    @property
    def settled(self) -> bool:
        """Whether the rule has decided, and no other run disagrees."""
        return self.status not in get_args(NoVerdict)

    @property
    def outcome(self) -> Outcome:
        """The status, with "not reproduced" split by what failed: the claim itself or a baseline's score."""
        if self.status != "not reproduced":
            return self.status
        if not self.claim.is_baseline:
            return "claim failed"
        return "baseline stronger" if self.side == "above" else "baseline weaker"

    @property
    def printed_interval(self) -> Interval | None:
        """The 95 % interval on pages: Student's t of the mean, Fieller's of a ratio; None for one number."""
        if self.interval is None:
            return None
        return fieller_interval(self.single, self.below) if self.below else student_interval(self.single)


def judge(claim: Claim, evidences: Iterable[Evidence]) -> Verdict:
    """Judge a claim.

    Of several runs of its notebook the first that can decide it does: live before recorded, then the
    larger tier, then the one with more metrics, so that claims a reader compares rest on one run, then
    the later. Where none can, the reason is that of the run that came closest; a run that has not
    measured what the claim speaks of counts only where none has, and a tier's reference run only where no
    live one is. All runs of the protocol that decides, live or recorded, are judged, and leave the claim
    undecided when they disagree.
    """
    own = sorted((run for run in evidences if run.notebook == claim.notebook), key=preference, reverse=True)
    live = {run.tier for run in own if not run.recorded}
    runs = [run for run in own if not (run.reference and run.tier in live)]
    if claim.assessable == "not":
        return _not_assessed(claim, f"cannot be checked here: {claim.why}", runs[0] if runs else None)
    if not runs:
        return _not_assessed(claim, "not run", None)
    runs = [run for run in runs if not checks.find_missing(claim, run)] or runs
    obstacles = [checks.first_obstacle(claim, run) for run in runs]
    passed = [stage for stage, _ in obstacles]
    run = runs[passed.index(max(passed))]
    others = [other for other in own if is_rerun(other, run) or _continues(other, run)]
    return _weigh([_judge_by(claim, each) for each in (run, *others)])


def _continues(other: Evidence, run: Evidence) -> bool:
    """Tell whether a registered protocol has other seeds of a reference run: all it states is that run's."""
    return run.reference and bool(other.protocol) and other.parameters.items() <= run.parameters.items()


def verdicts_on(evidences: Sequence[Evidence]) -> list[Verdict]:
    """Judge every claim by some evidence."""
    return [judge(claim, evidences) for claim in load_claims().claims]


def all_verdicts(tier: str) -> list[Verdict]:
    """Judge every claim by a tier's live evidence and by what is recorded."""
    return verdicts_on(collect_evidence(tier))


def recorded_verdicts() -> list[Verdict]:
    """Judge every claim by what is recorded in the project, live runs left out."""
    return verdicts_on(recorded_evidence())


def _judge_by(claim: Claim, run: Evidence) -> Verdict:
    if obstacle := checks.first_obstacle(claim, run)[1]:
        return _not_assessed(claim, obstacle, run)
    numbers = _estimate(claim, run)
    reason = missed(claim, numbers)
    where = side(claim, numbers) if reason else ""
    return _verdict(claim, run, numbers, decide(claim, numbers), reason=reason, side=where)


def _weigh(verdicts: Sequence[Verdict]) -> Verdict:
    """Merge the verdicts by a protocol's runs; one with twice the seeds of any other decides alone."""
    decisive = [each for each in verdicts if each.status != "not assessed"]
    first = verdicts[0] if verdicts[0] not in decisive else max(decisive, key=lambda each: each.seeds)
    first = replace(first, reruns=tuple(v for v in verdicts if v is not first and v.value is not None))
    rivals = [each for each in decisive if each.status != first.status and 2 * each.seeds > first.seeds]
    if first.status == "not assessed" or not rivals:
        return first
    if "not reproduced" not in {first.status, *(rival.status for rival in rivals)}:
        return replace(first, status="reproduced")
    unit = f" {first.claim.unit}" if first.claim.unit else ""
    words = "; ".join(f"{each.value:.4g}{unit}: {each.status} ({each.source})" for each in (first, *rivals))
    return replace(first, status="undecided", reason=f"runs disagree: {words}", side="")


def preference(run: Evidence) -> tuple[bool, int, int, str]:
    """Rank a run as evidence: live before recorded, then the larger tier, the more metrics, the later."""
    time = str(run.provenance.get("time") or "")
    return not run.recorded, TIERS.index(run.tier), len(run.metrics), time


def source_of(run: Evidence) -> Source:
    """Describe the run that left some evidence."""
    device, time, processor = (str(run.provenance.get(name) or "") for name in ("device", "time", "cpu"))
    if device == "cpu" and processor:
        device = re.sub(r"\(R\)|\(TM\)| Processor.*| CPU.*", "", processor)
    return Source(run.recorded, run.tier, device, time.partition("T")[0])


def _estimate(claim: Claim, run: Evidence) -> Estimate:
    """Compute our number for a claim from a run whose metrics have the right shape."""
    seeds = checks.usable_seeds(claim, run)
    if isinstance(claim.rule, RatioAtLeast):
        return estimate(claim, *checks.paired(claim, run), seeds=len(seeds))
    if isinstance(claim.rule, Ordering):
        single = tuple(decimal_sum(a, -b) for a, b in zip(*checks.paired(claim, run), strict=True))
    else:
        single = checks.numbers_by_seed(run.metrics[claim.metric_names[0]], seeds)
    return estimate(claim, single, seeds=len(seeds))


def _not_assessed(claim: Claim, reason: str, run: Evidence | None) -> Verdict:
    """Return no verdict, but the number if there is one."""
    if run is None or checks.find_missing(claim, run):
        return Verdict(claim, "not assessed", reason, qualifier=_qualifier(claim))
    if checks.find_misshapen(claim, run) or not checks.usable_seeds(claim, run):
        return Verdict(claim, "not assessed", reason, qualifier=_qualifier(claim), source=source_of(run))
    return _verdict(claim, run, _estimate(claim, run), "not assessed", reason=reason)


def _verdict(claim: Claim, run: Evidence, numbers: Estimate, status: Status, **words: Any) -> Verdict:
    names = ("value", "interval", "seeds", "single", "below")
    made = {name: getattr(numbers, name) for name in names} | {"source": source_of(run), "run": run}
    return Verdict(claim, status, qualifier=_qualifier(claim), **words, **made)


def _qualifier(claim: Claim) -> Literal["", "simulated", "proxy"]:
    return claim.assessable if claim.assessable in ("simulated", "proxy") else ""
