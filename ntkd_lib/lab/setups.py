"""Set-ups that the contract demands of evidence, and recorded protocols as registered before their runs."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date
from typing import Annotated, Any, Literal, Self

import pydantic
from pydantic import Field

Text = Annotated[str, Field(min_length=1)]
NotebookName = Annotated[str, Field(pattern=r"^[0-9]{2}_[a-z0-9_]+$")]
_UNSTATED = object()


def _check_day(text: str) -> str:
    """Refuse what is no calendar day in the form YYYY-MM-DD."""
    with suppress(ValueError):
        if date.fromisoformat(text).isoformat() == text:
            return text
    raise ValueError(f"{text!r} is no day; allowed: YYYY-MM-DD")


Day = Annotated[str, pydantic.AfterValidator(_check_day)]


class Strict(pydantic.BaseModel):
    """Base of contract and evidence: strict types, no unknown names, no NaN, frozen."""

    model_config = pydantic.ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False)

    @pydantic.model_validator(mode="after")
    def _consistent(self) -> Self:
        if problem := self._problem():
            raise ValueError(problem)
        return self

    def _problem(self) -> str:
        """Say what is wrong although every type is right, such as fields that exclude each other."""
        return ""


def is_covered(metric: str, patterns: Sequence[str]) -> bool:
    """Tell whether a metric is among names, or below a prefix that ends in `.*`."""
    return any(metric == p or (p.endswith(".*") and metric.startswith(p[:-1])) for p in patterns)


class _Exempt(Strict):
    """What may be exempt from the plateau rule, with the reason."""

    registered: Day
    metrics: Annotated[list[Text], Field(min_length=1)]  # names, or prefixes that end in `.*`
    plateau: bool = True  # whether trained models must have reached one
    why: Text | None = None  # they need not, or cannot

    def _problem(self) -> str:
        return "" if self.plateau or self.why is not None else "plateau false needs why"


class Requirement(Strict):
    """The values of a parameter that a set-up allows."""

    allowed: Annotated[list[Any], Field(min_length=1)]
    fixed: bool = False  # the program has no choice: evidence need not state the parameter

    def departure(self, parameter: str, parameters: Mapping[str, Any]) -> str:
        """Say how parameters depart from it; empty if they do not."""
        value = _look_up(parameter, parameters)
        if value in self.allowed or (self.fixed and value is _UNSTATED):
            return ""
        allowed = " or ".join(str(each) for each in self.allowed)
        return f"{parameter} is {'not stated' if value is _UNSTATED else value}, allowed: {allowed}"


def _look_up(path: str, parameters: Mapping[str, Any]) -> Any:
    """Read a parameter, also one inside another: `points.unmatched.lr`."""
    value: Any = parameters
    for part in path.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return _UNSTATED
        value = value[part]
    return value


class Setup(_Exempt):
    """What evidence must keep to, for some metrics: a sentence of the contract and its parameters."""

    says: Text
    requires: dict[str, Requirement] = Field(default_factory=dict)

    def departure(self, parameters: Mapping[str, Any]) -> str:
        """Say how parameters depart from the set-up; empty if they do not."""
        problems = (rule.departure(name, parameters) for name, rule in self.requires.items())
        return "; ".join(problem for problem in problems if problem)


class RegisteredProtocol(_Exempt):
    """A recorded protocol as registered before its run: whole parameters, and the metrics it measures."""

    notebook: NotebookName
    tier: Literal["cpu", "paper"]
    seeds: Annotated[list[int], Field(min_length=1)]
    parameters: dict[str, Any]
    known: Text | None = None  # what had been seen on the day of registration
    departs: list[Text] = Field(default_factory=list)  # set-ups that the parameters do not keep to

    def change(self, parameters: Mapping[str, Any]) -> str:
        """Say in what parameters of evidence differ from the registered ones; empty if in nothing."""
        ours = {name: value for name, value in parameters.items() if name != "tier"}
        return "; ".join(
            f"{name} is {ours.get(name, 'not stated')}, registered: {self.parameters.get(name, 'nothing')}"
            for name in sorted({*ours, *self.parameters})
            if ours.get(name, _UNSTATED) != self.parameters.get(name, _UNSTATED)
        )
