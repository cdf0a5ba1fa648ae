"""Work: typed functions whose results are stored by content.

    @work(cost=lambda steps, **_: 8 + 0.04 * steps)
    def student(data: Data, seed: int, *, steps: int, teacher: Record | None = None) -> CellResult: ...

`student(...)` calls the function. `student.cell(data=..., seed=0, steps=400, teacher=teacher.cell(...))`
describes the call: a `Cell`, whose result is computed once and kept. An argument that is a cell, or a list or
mapping of cells, becomes an input; its record is passed in its place when the cell runs.
"""

import functools
import inspect
import json
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Literal, ParamSpec

import pydantic

from ntkd_lib.lab.cells import Cell, CellError, CellResult, Record
from ntkd_lib.lab.digest import digest_json

P = ParamSpec("P")
Label = str | int | float | bool


@dataclass(frozen=True)
class Data:
    """A located data set: what a cell reads, and the digest that it must have."""

    name: str
    sha256: str
    kind: Literal["real", "standin"] = "real"
    evidence: bool = True  # whether numbers rest on it; not if it only illustrates a page


class Work(Generic[P]):
    """A function whose calls can be described as cells; `path` is its `package.module:function`."""

    def __init__(self, function: Callable[P, CellResult], cost: Callable[..., float]) -> None:
        functools.update_wrapper(self, function)
        self.function, self.cost = function, cost
        self.path = f"{function.__module__}:{function.__name__}"
        self.signature = inspect.signature(function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> CellResult:
        """Call the function."""
        return self.function(*args, **kwargs)

    def cell(self, labels: Mapping[str, Label] | None = None, /, **arguments: Any) -> Cell:
        """Describe a call: labels for frames, then arguments, with cells in place of records."""
        try:
            bound = self.signature.bind(**arguments)
        except TypeError as error:
            raise CellError(f"{self.path}: {error}") from None
        bound.apply_defaults()
        needs, values = _split_needs(bound.arguments)
        plain = {name: self._encode(name, value) for name, value in values.items()}
        short = {name: label for name, value in values.items() if (label := _label(value)) is not None}
        own = {**short, **(labels or {})}
        inputs = {name: need.name for name, need in needs.items()}
        shown = {name: own[name] for name in ("data", *(labels or ()), "seed") if name in own}
        digest = digest_json([plain, inputs, own])[:6]
        return Cell(
            name="/".join([self.function.__name__, *(f"{k}={v}" for k, v in shown.items()), digest]),
            work=self.path,
            arguments=plain,
            needs=needs,
            data={v.name: v.sha256 for v in values.values() if isinstance(v, Data) and v.evidence},
            cost=self.cost(**bound.arguments),
            labels=own,
        )

    def run(self, arguments: Mapping[str, Any], needs: Mapping[str, Record]) -> CellResult:
        """Call the function with the plain arguments and the records of a cell."""
        values = {
            name: None if value is None else self._adapters[name].validate_python(value)
            for name, value in arguments.items()
        }
        return self.function(**values, **_joined_needs(needs))  # type: ignore[arg-type]

    def _encode(self, name: str, value: Any) -> Any:
        if value is None:
            return None
        try:
            adapter = self._adapters[name]
            return adapter.dump_python(adapter.validate_python(value), mode="json")
        except pydantic.ValidationError as error:
            message = error.errors(include_url=False)[0]["msg"]
            raise CellError(f"{self.path}: {name} = {value!r}: {message}") from None

    @functools.cached_property
    def _adapters(self) -> dict[str, Any]:  # type adapters, by argument
        hints = typing.get_type_hints(self.function)
        names = [name for name, hint in hints.items() if name != "return" and not _holds_record(hint)]
        return {name: pydantic.TypeAdapter(hints[name]) for name in names}


def work(cost: Callable[..., float] = lambda **_: 1.0) -> Callable[[Callable[P, CellResult]], Work[P]]:
    """Make a function work; `cost` estimates the seconds on one thread from a call's arguments."""
    return lambda function: Work(function, cost)


def _holds_record(hint: Any) -> bool:
    return hint is Record or any(_holds_record(part) for part in typing.get_args(hint))


def _label(value: Any) -> Label | None:
    label = value if isinstance(value, str | int | float) else getattr(value, "name", None)
    return label if isinstance(label, str | int | float) else None


def _split_needs(arguments: Mapping[str, Any]) -> tuple[dict[str, Cell], dict[str, Any]]:
    """Part cells from values; those in lists and mappings are named `argument[place]`."""
    needs: dict[str, Cell] = {}
    values: dict[str, Any] = {}
    for name, value in arguments.items():
        items = _items(value)
        if isinstance(value, Cell):
            needs[name] = value
        elif items and all(isinstance(cell, Cell) for cell in items.values()):
            needs |= {f"{name}[{json.dumps(place)}]": cell for place, cell in items.items()}
        else:
            values[name] = value
    return needs, values


def _items(value: Any) -> dict[Any, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    return dict(enumerate(value)) if isinstance(value, list | tuple) else {}


def _joined_needs(needs: Mapping[str, Record]) -> dict[str, Any]:
    joined: dict[str, Any] = {}
    for name, record in needs.items():
        argument, bracket, place = name.partition("[")
        if bracket:
            joined.setdefault(argument, {})[json.loads(place[:-1])] = record
        else:
            joined[argument] = record
    return {name: _as_list(value) for name, value in joined.items()}


def _as_list(value: Any) -> Any:
    if isinstance(value, dict) and {*value} == {*range(len(value))}:
        return [value[place] for place in range(len(value))]
    return value
