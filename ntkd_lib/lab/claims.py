"""The claim contract: each claim, its metrics and the rule that decides it; `claims.yml` explains fields."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
from pydantic import Field

from ntkd_lib.lab.digest import digest_json
from ntkd_lib.lab.layout import project_root
from ntkd_lib.lab.parameter_text import and_more
from ntkd_lib.lab.plain_yaml import YamlError, read_yaml
from ntkd_lib.lab.setups import Day, NotebookName, RegisteredProtocol, Setup, Strict, Text, is_covered

Paper = Literal["ntkd", "koopman", "spectral", "dntk", "nint", "ours"]
Assessable = Literal["full", "simulated", "proxy", "not"]
_PREFIXES = "ntkd|koopman|spectral|dntk|nint|ours"
_ONE_NUMBER = re.compile(r"\bone number\b", re.IGNORECASE)
MetricName = Annotated[str, Field(pattern=rf"^({_PREFIXES})(\.[a-z0-9_]+)+$")]
_FEWEST_SEEDS = 5


class ClaimError(ValueError):
    """A claim contract that breaks its rules, or is changed instead of extended; the text is one line."""


class AtLeast(Strict):
    """The mean over seeds is at least `threshold`."""

    kind: Literal["at_least"]
    threshold: float


class AtMost(Strict):
    """The mean over seeds is at most `threshold`."""

    kind: Literal["at_most"]
    threshold: float


class _Band(Strict):
    low: float
    high: float

    def _problem(self) -> str:
        return f"low {self.low} is above high {self.high}" if self.low > self.high else ""


class Within(_Band):
    """The mean over seeds lies from `low` to `high`, ends included."""

    kind: Literal["within"]


class SlopeWithin(_Band):
    """The mean over seeds of the slope of a series lies from `low` to `high`, ends included."""

    kind: Literal["slope_within"]


class Ordering(Strict):
    """Seed by seed, `greater` minus `less` is above `margin`, by the paired bootstrap."""

    kind: Literal["ordering"]
    greater: MetricName
    less: MetricName
    margin: float
    test: Literal["paired-bootstrap-95"]


class RatioAtLeast(Strict):
    """The ratio of two means is at least `threshold`."""

    kind: Literal["ratio_at_least"]
    numerator: MetricName
    denominator: MetricName
    threshold: float


Rule = Annotated[
    AtLeast | AtMost | Within | SlopeWithin | Ordering | RatioAtLeast, Field(discriminator="kind")
]


class Definition(Strict):
    """What a metric measures, and in which unit."""

    unit: Text
    what: Text

    @cached_property
    def digest(self) -> str:
        """Digest of unit and text, by which evidence says what it has measured."""
        return digest_json(self.model_dump())

    @property
    def pooled(self) -> bool:
        """Whether the metric is one number for all seeds."""
        return bool(_ONE_NUMBER.search(self.what))

    @property
    def is_series(self) -> bool:
        """Whether the metric is a series of points instead of numbers."""
        return self.what.startswith("Series")


@dataclass(frozen=True)
class Terms:
    """What a book says of the evidence for one claim."""

    definitions: dict[str, Definition] = field(default_factory=dict)  # of its metrics, by name
    setups: dict[str, Setup] = field(default_factory=dict)  # that cover one of its metrics, by name
    protocols: dict[str, RegisteredProtocol] = field(default_factory=dict)  # all registered ones, by name


class Claim(Strict):
    """One claim; the fields are those of the header of `claims.yml`."""

    id: Annotated[str, Field(pattern=rf"^({_PREFIXES})(-[a-z0-9]+)+$")]
    paper: Paper
    where: Text
    claim: Text
    value: float | None = None
    unit: Text | None = None
    spread: Annotated[float, Field(ge=0)] | None = None
    rule: Rule
    metric: MetricName | Annotated[list[MetricName], Field(min_length=2, max_length=2)]
    notebook: NotebookName
    tier: Literal["cpu", "paper"]
    seeds: Annotated[int, Field(ge=1)]
    assessable: Assessable
    why: Text | None = None
    note: Text | None = None
    supersedes: Text | None = None
    registered: Day | None = None
    known: Text | None = None
    _terms: "Terms" = pydantic.PrivateAttr(default_factory=lambda: Terms())
    _replacement: "Claim | None" = pydantic.PrivateAttr(default=None)

    @property
    def metric_names(self) -> tuple[str, ...]:
        """The metrics that the rule reads: one, or two in the order of the rule."""
        return (self.metric,) if isinstance(self.metric, str) else tuple(self.metric)

    @property
    def terms(self) -> "Terms":
        """What the book says of the evidence for this claim; nothing for a claim outside a book."""
        return self._terms

    @property
    def replacement(self) -> "Claim | None":
        """The later entry that supersedes this one; None for a claim that stands."""
        return self._replacement

    @property
    def is_baseline(self) -> bool:
        """Whether it states the score of a baseline: a band around a percentage of the paper."""
        return isinstance(self.rule, Within) and self.value is not None and self.unit == "percent"

    def _problem(self) -> str:
        read = _metrics_of(self.rule)
        if read and read != self.metric_names:
            return f"metric is {list(self.metric_names)}, the rule reads {list(read)}"
        if not read and len(self.metric_names) != 1:
            return f"a rule of kind {self.rule.kind} reads one metric, not {len(self.metric_names)}"
        if self.paper != "ours" and not self.id.startswith(f"{self.paper}-"):
            return f"the id of a claim of paper {self.paper} begins with {self.paper}-"
        if self.assessable != "full" and self.why is None:
            return f"assessable {self.assessable} needs why"
        if self.spread is not None and self.value is None:
            return "a spread needs a value"
        if 1 < self.seeds < _FEWEST_SEEDS:
            return f"seeds is {self.seeds}; allowed: 1 where nothing is random, else {_FEWEST_SEEDS} or more"
        if self.supersedes is not None and self.note is None:
            return f"superseding {self.supersedes} needs a note that says why"
        if self.known is not None and self.registered is None:
            return "known says what was seen on the day of registration: it needs registered"
        return ""


def _metrics_of(rule: Rule) -> tuple[str, ...]:
    """List the metrics that a rule names itself."""
    if isinstance(rule, Ordering):
        return (rule.greater, rule.less)
    return (rule.numerator, rule.denominator) if isinstance(rule, RatioAtLeast) else ()


class ClaimBook(Strict):
    """All claims, the definitions of all metrics, the set-ups and the registered protocols by name."""

    schema_version: Literal[1]
    claims: list[Claim]
    metrics: dict[MetricName, Definition]
    setups: dict[Text, Setup] = Field(default_factory=dict)
    protocols: dict[Text, RegisteredProtocol] = Field(default_factory=dict)

    def _problem(self) -> str:
        """Link claims to their terms and replacements; say what does not fit."""
        seen: dict[str, Claim] = {}
        covered = {k: {m for m in self.metrics if is_covered(m, s.metrics)} for k, s in self.setups.items()}
        for claim in self.claims:
            if problem := self._claim_problem(claim, seen):
                return problem
            seen[claim.id] = claim
            if claim.supersedes is not None:
                seen[claim.supersedes]._replacement = claim
            claim._terms = self._terms_of(claim, covered)
        problems = [*map(self._setup_problem, self.setups)]
        problems += [self._protocol_problem(name, covered) for name in self.protocols]
        return next(filter(None, problems), "")

    def _terms_of(self, claim: Claim, covered: Mapping[str, set[str]]) -> Terms:
        names = claim.metric_names
        setups = {k: s for k, s in self.setups.items() if not covered[k].isdisjoint(names)}
        return Terms({name: self.metrics[name] for name in names}, setups, self.protocols)

    def _setup_problem(self, name: str) -> str:
        patterns = self.setups[name].metrics
        idle = [each for each in patterns if not any(is_covered(metric, [each]) for metric in self.metrics)]
        return f"setups.{name}: {idle[0]} is no metric" if idle else ""

    def _protocol_problem(self, name: str, covered: Mapping[str, set[str]]) -> str:
        protocol = self.protocols[name]
        measured = [metric for metric in self.metrics if is_covered(metric, protocol.metrics)]
        departures = {
            place: problem
            for place, setup in self.setups.items()
            if not covered[place].isdisjoint(measured) and (problem := setup.departure(protocol.parameters))
        }
        if silent := next((place for place in departures if place not in protocol.departs), None):
            return f"protocols.{name}: set-up {silent} is not among departs: {departures[silent]}"
        wrong = next((place for place in protocol.departs if place not in departures), None)
        return f"protocols.{name}: departs names {wrong}, which it keeps to" if wrong else ""

    def _claim_problem(self, claim: Claim, earlier: Mapping[str, Claim]) -> str:
        if claim.id in earlier:
            return f"{claim.id} is given twice"
        for name in claim.metric_names:
            if problem := _definition_problem(claim, name, self.metrics.get(name)):
                return f"{claim.id}: {problem}"
        old = claim.supersedes
        if old is not None and old not in earlier:
            return f"{claim.id}: supersedes {old}, which is no earlier entry"
        rivals = [each.id for each in self.claims if old and each.supersedes == old and each is not claim]
        if rivals:
            return f"{claim.id}: {old} is superseded by {rivals[-1]} too"
        return ""


def _definition_problem(claim: Claim, name: str, definition: Definition | None) -> str:
    """Say why a rule cannot read a metric."""
    if definition is None:
        return f"metric {name} is not defined under metrics"
    if definition.is_series != (claim.rule.kind == "slope_within"):
        kind = "a series" if definition.is_series else "no series"
        return f"metric {name} is {kind}, the rule is {claim.rule.kind}"
    if definition.pooled and claim.rule.kind == "ordering":
        return f"metric {name} is one number for all seeds: it cannot be compared seed by seed"
    return ""


def load_claims(path: Path | None = None) -> ClaimBook:
    """Read and validate a claim contract; a `ClaimError` says which rule of its header a file breaks."""
    path = project_root() / "claims.yml" if path is None else path
    state = path.stat() if path.is_file() else None
    return _read_book(path, state and (state.st_mtime_ns, state.st_size, state.st_ino))


@lru_cache(maxsize=4)
def _read_book(path: Path, state: tuple[int, ...] | None) -> ClaimBook:  # noqa: ARG001 - a changed file is read anew
    try:
        content = read_yaml(path)
    except YamlError as error:
        raise ClaimError(str(error)) from None
    try:
        return ClaimBook.model_validate(content)
    except pydantic.ValidationError as error:
        raise ClaimError(f"{path.name}: {_first_problem(error, content)}") from None


def _first_problem(error: pydantic.ValidationError, content: Any) -> str:
    problems = error.errors(include_url=False)
    first = problems[0]
    place = _named(".".join(str(part) for part in first["loc"]), content)
    message = " ".join(first["msg"].removeprefix("Value error, ").split())
    return (f"{place}: {message}" if place else message) + and_more(problems)


def _named(place: str, content: Any) -> str:
    """Put the id of a claim where its number stands: `claims.3.tier` or `claims[3].tier`."""
    match = re.match(r"claims[.\[](\d+)\]?\.?", place)
    if not match:
        return place
    claim = content["claims"][int(match[1])]
    name = claim.get("id", f"claim {match[1]}") if isinstance(claim, dict) else f"claim {match[1]}"
    return f"{name}: {place[match.end() :]}".removesuffix(": ")
