"""Typed parameters of a notebook: defaults, then the tier's file, then what the user gives, all validated."""

import importlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

import pydantic

from ntkd_lib.lab.layout import project_root
from ntkd_lib.lab.parameter_text import (
    Distinct,
    allowed_values,
    and_more,
    hint,
    kind,
    name_problem,
    nearest_name,
    shown,
)
from ntkd_lib.lab.plain_yaml import YamlError, read_yaml

Tier = Literal["smoke", "cpu", "paper"]
TIERS: tuple[Tier, ...] = get_args(Tier)
Seed = Annotated[int, pydantic.Field(ge=0, le=2**31 - 1)]
Seeds = Annotated[list[Seed], pydantic.Field(min_length=1, max_length=1000), Distinct()]
AnyParameters = TypeVar("AnyParameters", bound="Parameters")
_INTERACTIVE_NAMES = frozenset({"In", "Out", "exit", "quit"})
_PLAIN_TYPES = (bool, int, float, str, list, dict, tuple, type(None))


class ParameterError(ValueError):
    """A parameter that is refused; one line: what came, what is allowed, the nearest valid name."""


def parameter(default: Any, meaning: str, *, unit: str = "", **bounds: Any) -> Any:
    """Declare a parameter of a notebook; bounds such as ge, le or pattern are those of `pydantic.Field`."""
    return pydantic.Field(default=default, description=meaning, json_schema_extra={"unit": unit}, **bounds)


class Parameters(pydantic.BaseModel):
    """Base of a notebook's parameters: strict types, no unknown names, no NaN or infinity, frozen."""

    model_config = pydantic.ConfigDict(
        strict=True, frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True
    )

    tier: Tier = parameter("cpu", "Budget of the run: smoke, cpu or paper.")

    @property
    def datasets(self) -> tuple[str, ...]:
        """Name the data sets that a run reads; they are located before the plan is made."""
        return ()


class SeededParameters(Parameters):
    """Parameters of a notebook that repeats its work over seeds."""

    seeds: Seeds = parameter([0, 1, 2, 3, 4], "Seeds of the repetitions; compared methods share them.")
    seed: Seed | None = parameter(None, "One seed only; replaces seeds.")

    @property
    def all_seeds(self) -> list[int]:
        """List the seeds to run: the one `seed` where it is given, else `seeds`."""
        return list(self.seeds) if self.seed is None else [self.seed]


def load_parameters(
    model: type[AnyParameters], notebook: str, tier: str, overrides: Mapping[str, Any]
) -> AnyParameters:
    """Validate a notebook's parameters: defaults, then the tier's file, then overrides."""
    _validate(model, notebook, {"tier": tier})
    if overrides.get("tier", tier) != tier:
        came = f"tier = {shown(overrides['tier'])} does not fit the chosen tier {tier}"
        raise ParameterError(f"{notebook}: {came}; allowed: one of {', '.join(TIERS)}, chosen by --tier")
    standard = {**_tier_values(notebook, tier), "tier": tier}
    _validate(model, f"{_tier_file(tier).name}: {notebook}", standard)
    return _validate(model, notebook, {**standard, **overrides})


def from_namespace(model: type[AnyParameters], notebook: str, namespace: Mapping[str, Any]) -> AnyParameters:
    """Take a notebook's parameters out of its globals; any other public name of plain data is refused."""
    public = {n: v for n, v in namespace.items() if not n.startswith("_") and n not in _INTERACTIVE_NAMES}
    values = {name: value for name, value in public.items() if isinstance(value, _PLAIN_TYPES)}
    return _validate(model, notebook, values)


def read_params_file(path: Path) -> dict[str, Any]:
    """Read a user's YAML mapping from name to value; anything else is a `ParameterError`."""
    values = _read_mapping(path)
    for name in values:
        if problem := name_problem(name):
            raise ParameterError(f"{path.name}: {problem}")
    return values


def parse_assignment(assignment: str) -> tuple[str, Any]:
    """Split `NAME=VALUE` of the command line; a value that is not JSON is text, for the schema to judge."""
    name, equals, text = assignment.partition("=")
    if not equals:
        raise ParameterError(f"{shown(assignment)} has no value; allowed: NAME=VALUE, such as seeds=[0,1,2]")
    if problem := name_problem(name):
        raise ParameterError(f"{problem}, in NAME=VALUE")
    try:
        return name, json.loads(text, object_pairs_hook=_unique_names)
    except ParameterError as error:
        raise ParameterError(f"{name}: {error}") from None
    except (ValueError, RecursionError):
        return name, text


def _unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build the dict of a JSON object; a name that comes twice is an error."""
    result = dict(pairs)
    if len(result) < len(pairs):
        twice = next(name for name in result if [pair[0] for pair in pairs].count(name) > 1)
        raise ParameterError(f"{shown(twice)} is given twice; allowed: each name once")
    return result


def changed_from_tier(parameters: Parameters, notebook: str) -> dict[str, tuple[Any, Any]]:
    """List (tier's value, run's value) of each parameter that is not its tier's; empty for a standard run."""
    standard = load_parameters(type(parameters), notebook, parameters.tier, {})
    pairs = {name: (value, getattr(parameters, name)) for name, value in standard}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def tier_parameters(notebook: str, tier: str) -> Parameters:
    """Load the parameters of a notebook's tier, by the model that its chapter declares."""
    model = importlib.import_module(f"{chapter_of(notebook)}.parameters").PARAMETERS
    return load_parameters(model, notebook, tier, {})


def tier_changes(notebook: str, tier: str, values: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """List (tier's value today or None, run's value) of plain parameters that are not the tier's."""
    standard = tier_parameters(notebook, tier).model_dump(mode="json")
    return {k: (standard.get(k), value) for k, value in values.items() if standard.get(k) != value}


def notebook_path(notebook: str) -> Path:
    """Name a notebook's source."""
    return project_root() / "notebooks" / f"{notebook}.py"


def chapter_of(notebook: str) -> str:
    """Read from a notebook's header which chapter package it shows."""
    header = notebook_path(notebook).read_text(encoding="utf-8")
    match = re.search(r"^#.*\bchapter:\s*([\w.]+)", header, re.MULTILINE)
    if match is None:
        raise ValueError(f"notebooks/{notebook}.py: its header names no chapter")
    return match[1]


def describe(model: type[Parameters], notebook: str) -> Iterator[str]:
    """Describe a notebook's parameters in words: what each allows, what it does, its default on each tier."""
    tiers = {tier: load_parameters(model, notebook, tier, {}) for tier in TIERS}
    yield f"parameters of {notebook} (change one: ntkd run {notebook[:2]} -p NAME=VALUE)"
    for name, schema in model.model_json_schema()["properties"].items():
        defaults = {tier: getattr(values, name) for tier, values in tiers.items()}
        shown = "the chosen tier" if name == "tier" else _defaults(defaults, schema["unit"])
        yield f"\n{name}: {allowed_values(schema)}\n    {schema['description']}\n    default: {shown}"


def _defaults(values: Mapping[str, Any], unit: str) -> str:
    shown = {t: f"{json.dumps(value, ensure_ascii=False)} {unit}".rstrip() for t, value in values.items()}
    if len(set(shown.values())) == 1:
        return next(iter(shown.values()))
    return ", ".join(f"{text} ({tier})" for tier, text in shown.items())


def _tier_file(tier: str) -> Path:
    return project_root() / "notebooks" / "params" / f"{tier}.yaml"


def _tier_values(notebook: str, tier: str) -> dict[str, Any]:
    """Read the section of a notebook in the tier's file; both may be absent."""
    path = _tier_file(tier)
    section = _read_mapping(path).get(notebook) if path.exists() else None
    if section is not None and not isinstance(section, dict):
        raise ParameterError(f"{path.name}: {notebook} = {shown(section)}; allowed: names with values")
    return section or {}


def _read_mapping(path: Path) -> dict[str, Any]:
    try:
        values = read_yaml(Path(path))
    except YamlError as error:
        raise ParameterError(f"{error}; allowed: one `name: value` a line") from None
    if values is not None and not isinstance(values, dict):
        came = f"{shown(values)} ({kind(values)})"
        raise ParameterError(f"{Path(path).name}: holds {came}; allowed: one `name: value` a line")
    return values or {}


def _validate(model: type[AnyParameters], notebook: str, values: Mapping[str, Any]) -> AnyParameters:
    """Build the model, or raise the first problem as one line that begins with `notebook`."""
    unknown = [name for name in values if name not in model.model_fields]
    if unknown:
        first = _unknown(model, unknown[0], values[unknown[0]])
        raise ParameterError(f"{notebook}: {first}{and_more(unknown)}")
    try:
        return model.model_validate(dict(values))
    except pydantic.ValidationError as error:
        raise ParameterError(f"{notebook}: {_refusal(model, error)}{and_more(error.errors())}") from None


def _unknown(model: type[Parameters], name: str, value: object) -> str:
    near = nearest_name(str(name), model.model_fields)
    nearest = f"; nearest: {near}" if near else ""
    problem = name_problem(name)
    names = ", ".join(model.model_fields)
    if problem:
        return f"{problem.split(';')[0]} (value {shown(value)}){nearest}; allowed: {names}"
    return f"unknown parameter {name} = {shown(value)}{nearest}; allowed: {names}"


def _refusal(model: type[Parameters], error: pydantic.ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    if not first["loc"]:
        return " ".join(first["msg"].removeprefix("Value error, ").split())
    name, *inner = first["loc"]
    schema = model.model_json_schema()["properties"][str(name)]
    place = str(name) + "".join(f"[{part}]" for part in inner if isinstance(part, int))
    advice = hint(first["input"], schema) if len(inner) == 0 else ""
    reason = first["msg"].removeprefix("Value error, ") if first["type"] == "value_error" else advice
    came = f"{place} = {shown(first['input'])} ({kind(first['input'])})"
    return f"{came} is not allowed; allowed: {allowed_values(schema)}" + (f"; {reason}" if reason else "")
