"""The claim contract: every checkable claim, the rule that decides it and the metrics that the rule reads.

The header of `claims.yml` explains each field and each rule; this module holds the file to it.
"""

import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import pydantic
from pydantic import Field

from ntkd_lib.lab.digest import digest_json
from ntkd_lib.lab.layout import project_root
from ntkd_lib.lab.plain_yaml import YamlError, find_surprise, read_yaml

Paper = Literal["ntkd", "koopman", "spectral", "dntk", "nint", "ours"]
Assessable = Literal["full", "simulated", "proxy", "not"]
_PREFIXES = "ntkd|koopman|spectral|dntk|nint"
_ONE_NUMBER = re.compile(r"\bone number\b", re.IGNORECASE)
MetricName = Annotated[str, Field(pattern=rf"^({_PREFIXES})(\.[a-z0-9_]+)+$")]
Text = Annotated[str, Field(min_length=1)]
_FEWEST_SEEDS = 5


def _check_day(text: str) -> str:
    """Refuse what is no calendar day in the form YYYY-MM-DD."""
    try:
        if date.fromisoformat(text).isoformat() == text:
            return text
    except ValueError:
        pass
    raise ValueError(f"{text!r} is no day; allowed: YYYY-MM-DD")


Day = Annotated[str, pydantic.AfterValidator(_check_day)]


class ClaimError(ValueError):
    """A claim contract that breaks its own rules; the text is one line."""


class _Strict(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False)


class AtLeast(_Strict):
    """The mean over seeds is at least `threshold`."""

    kind: Literal["at_least"]
    threshold: float


class AtMost(_Strict):
    """The mean over seeds is at most `threshold`."""

    kind: Literal["at_most"]
    threshold: float


class _Band(_Strict):
    low: float
    high: float

    @pydantic.model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"low {self.low} is above high {self.high}")
        return self


class Within(_Band):
    """The mean over seeds lies from `low` to `high`, ends included."""

    kind: Literal["within"]


class SlopeWithin(_Band):
    """The mean over seeds of the slope of a series lies from `low` to `high`, ends included."""

    kind: Literal["slope_within"]


class Ordering(_Strict):
    """Seed by seed, `greater` minus `less` is above `margin`, by the paired bootstrap."""

    kind: Literal["ordering"]
    greater: MetricName
    less: MetricName
    margin: float
    test: Literal["paired-bootstrap-95"]


class RatioAtLeast(_Strict):
    """The ratio of two means is at least `threshold`."""

    kind: Literal["ratio_at_least"]
    numerator: MetricName
    denominator: MetricName
    threshold: float


Rule = Annotated[
    AtLeast | AtMost | Within | SlopeWithin | Ordering | RatioAtLeast, Field(discriminator="kind")
]


class Definition(_Strict):
    """What a metric measures, and in which unit."""

    unit: Text
    what: Text

    @property
    def pooled(self) -> bool:
        """Whether the metric is one number for all seeds."""
        return bool(_ONE_NUMBER.search(self.what))

    @property
    def is_series(self) -> bool:
        """Whether the metric is a series of points instead of numbers."""
        return self.what.startswith("Series")


class Claim(_Strict):
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
    notebook: Annotated[str, Field(pattern=r"^[0-9]{2}_[a-z0-9_]+$")]
    tier: Literal["cpu", "paper"]
    seeds: Annotated[int, Field(ge=1)]
    assessable: Assessable
    why: Text | None = None
    note: Text | None = None
    supersedes: Text | None = None
    registered: Day | None = None
    known: Text | None = None
    _definitions: dict[str, Definition] = pydantic.PrivateAttr(default_factory=dict)
    _replacement: "Claim | None" = pydantic.PrivateAttr(default=None)

    @property
    def metric_names(self) -> tuple[str, ...]:
        """The metrics that the rule reads: one, or two in the order of the rule."""
        return (self.metric,) if isinstance(self.metric, str) else tuple(self.metric)

    @property
    def definitions(self) -> dict[str, Definition]:
        """The definitions of these metrics, by name; empty for a claim outside a book."""
        return dict(self._definitions)

    @property
    def replacement(self) -> "Claim | None":
        """The later entry that supersedes this one; None for a claim that stands."""
        return self._replacement

    @property
    def is_baseline(self) -> bool:
        """Whether it states the score of a baseline: a band around a percentage of the paper."""
        return isinstance(self.rule, Within) and self.value is not None and self.unit == "percent"

    @pydantic.model_validator(mode="after")
    def _complete(self) -> Self:
        problem = _claim_problem(self)
        if problem:
            raise ValueError(problem)
        return self


def _claim_problem(claim: Claim) -> str | None:
    """Say what the types alone do not: fields that require or exclude each other."""
    read = _metrics_of(claim.rule)
    if read and read != claim.metric_names:
        return f"metric is {list(claim.metric_names)}, the rule reads {list(read)}"
    if not read and len(claim.metric_names) != 1:
        return f"a rule of kind {claim.rule.kind} reads one metric, not {len(claim.metric_names)}"
    if claim.paper != "ours" and not claim.id.startswith(f"{claim.paper}-"):
        return f"the id of a claim of paper {claim.paper} begins with {claim.paper}-"
    if claim.assessable != "full" and claim.why is None:
        return f"assessable {claim.assessable} needs why"
    if claim.spread is not None and claim.value is None:
        return "a spread needs a value"
    if 1 < claim.seeds < _FEWEST_SEEDS:
        return f"seeds is {claim.seeds}; allowed: 1 where nothing is random, else {_FEWEST_SEEDS} or more"
    if claim.supersedes is not None and claim.note is None:
        return f"superseding {claim.supersedes} needs a note that says why"
    if claim.known is not None and claim.registered is None:
        return "known says what was seen on the day of registration: it needs registered"
    return None


def _metrics_of(rule: Rule) -> tuple[str, ...]:
    """List the metrics that a rule names itself."""
    if isinstance(rule, Ordering):
        return (rule.greater, rule.less)
    return (rule.numerator, rule.denominator) if isinstance(rule, RatioAtLeast) else ()


class RegisteredProtocol(_Strict):
    """A recorded protocol as registered before its run: whole parameters, and the metrics that it measures.

    `metrics` lists names, or prefixes that end in `.*`. `plateau` says whether trained models must have
    reached one; where a protocol cannot have one, `why` says so.
    """

    registered: Day
    notebook: Annotated[str, Field(pattern=r"^[0-9]{2}_[a-z0-9_]+$")]
    tier: Literal["cpu", "paper"]
    seeds: Annotated[list[int], Field(min_length=1)]
    parameters: dict[str, Any]
    metrics: Annotated[list[Text], Field(min_length=1)]
    plateau: bool = True
    why: Text | None = None

    @property
    def fingerprint(self) -> str:
        """Digest of the parameters."""
        return digest_json(self.parameters)


class ClaimBook(_Strict):
    """All claims, the definitions of all metrics, and the registered protocols by name."""

    schema_version: Literal[1]
    claims: list[Claim]
    metrics: dict[MetricName, Definition]
    protocols: dict[str, RegisteredProtocol] = {}

    def definition_digest(self, metric: str) -> str:
        """Return the digest of a metric's definition, which evidence carries beside its numbers."""
        return digest_json(self.metrics[metric].model_dump())

    @property
    def superseded(self) -> dict[str, str]:
        """The id of the entry that takes an entry's place, by the id of the replaced entry."""
        return {claim.supersedes: claim.id for claim in self.claims if claim.supersedes is not None}

    @pydantic.model_validator(mode="after")
    def _consistent(self) -> Self:
        seen: dict[str, Claim] = {}
        for claim in self.claims:
            problem = f"{claim.id} is given twice" if claim.id in seen else self._problem(claim, seen)
            if problem:
                raise ValueError(problem)
            seen[claim.id] = claim
            if claim.supersedes is not None:
                seen[claim.supersedes]._replacement = claim
            claim._definitions = {name: self.metrics[name] for name in claim.metric_names}
        return self

    def _problem(self, claim: Claim, earlier: Mapping[str, Claim]) -> str | None:
        for name in claim.metric_names:
            problem = _definition_problem(claim, name, self.metrics.get(name))
            if problem:
                return f"{claim.id}: {problem}"
        old = claim.supersedes
        if old is not None and old not in earlier:
            return f"{claim.id}: supersedes {old}, which is no earlier entry"
        if old is not None and self.superseded[old] != claim.id:
            return f"{claim.id}: {old} is superseded by {self.superseded[old]} too"
        return None


def _definition_problem(claim: Claim, name: str, definition: Definition | None) -> str | None:
    """Say why a rule cannot read a metric."""
    if definition is None:
        return f"metric {name} is not defined under metrics"
    if definition.is_series != (claim.rule.kind == "slope_within"):
        kind = "a series" if definition.is_series else "no series"
        return f"metric {name} is {kind}, the rule is {claim.rule.kind}"
    if definition.pooled and claim.rule.kind == "ordering":
        return f"metric {name} is one number for all seeds: it cannot be compared seed by seed"
    return None


def load_claims(path: Path | None = None) -> ClaimBook:
    """Read and validate a claim contract.

    Args:
        path: the file; `claims.yml` of the project when left out.

    Raises:
        ClaimError: if the file breaks the rules of its own header, in one line.
    """
    path = project_root() / "claims.yml" if path is None else path
    try:
        content = read_yaml(path)
    except YamlError as error:
        raise ClaimError(str(error)) from None
    surprise = find_surprise(content)
    if surprise:
        raise ClaimError(f"{path.name}: {_named(surprise[0], content)}: {surprise[1].hint}")
    try:
        return ClaimBook.model_validate(content)
    except pydantic.ValidationError as error:
        raise ClaimError(f"{path.name}: {_first_problem(error, content)}") from None


def _first_problem(error: pydantic.ValidationError, content: Any) -> str:
    problems = error.errors(include_url=False)
    first = problems[0]
    place = _named(".".join(str(part) for part in first["loc"]), content)
    message = " ".join(first["msg"].removeprefix("Value error, ").split())
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return (f"{place}: {message}" if place else message) + more


def _named(place: str, content: Any) -> str:
    """Put the id of a claim where its number stands: `claims.3.tier` or `claims[3].tier`."""
    match = re.match(r"claims[.\[](\d+)\]?\.?", place)
    if not match:
        return place
    claim = content["claims"][int(match[1])]
    name = claim.get("id", f"claim {match[1]}") if isinstance(claim, dict) else f"claim {match[1]}"
    return f"{name}: {place[match.end() :]}".removesuffix(": ")
