"""Words for parameters: what came, what is allowed, what was probably meant."""

import difflib
import json
import keyword
import math
import types
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

_NOUNS = {
    int: ("whole number", "whole numbers"),
    float: ("number", "numbers"),
    str: ("text", "texts"),
    bool: ("true or false", "true or false"),
    dict: ("mapping", "mappings"),
    type(None): ("null", "nulls"),
}
_SPOKEN_BOOLEANS = {
    **dict.fromkeys(("yes", "on", "true"), "true"),
    **dict.fromkeys(("no", "off", "false"), "false"),
}
_SHOWN_CHARACTERS = 60
_MAX_BITS = 200
_DIGITS_PER_BIT = math.log10(2)


class Distinct:
    """Marker for a list whose items must all differ: `Annotated[list[int], Distinct()]`."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        """Add the check to the schema that pydantic makes for the list."""
        from pydantic_core import core_schema

        return core_schema.no_info_after_validator_function(_require_distinct, handler(source))


def _require_distinct(items: list) -> list:
    for index, item in enumerate(items):
        if item in items[:index]:
            raise ValueError(f"{item} is given twice")
    return items


def allowed_values(field: FieldInfo) -> str:
    """Say in words which values a field takes, such as `whole number from 1 to 500 [epochs]`."""
    unit = unit_of(field)
    return _allowed(field.annotation, field.metadata, plural=False) + (f" [{unit}]" if unit else "")


def unit_of(field: FieldInfo) -> str:
    """Read the unit that `parameter(..., unit=...)` has left in a field."""
    extra = field.json_schema_extra
    return str(extra.get("unit", "")) if isinstance(extra, dict) else ""


def shown(value: object) -> str:
    """Show a value in at most about 60 characters on one line."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, int) and value.bit_length() > _MAX_BITS:
        return f"a number of about {math.ceil(value.bit_length() * _DIGITS_PER_BIT)} digits"
    try:
        text = repr(value)
    except ValueError:
        return "a value too large to print"
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[: _SHOWN_CHARACTERS - 3]}..."


def kind(value: object) -> str:
    """Name the kind of a value: text, whole number, number, boolean, list, ..."""
    if isinstance(value, float) and not math.isfinite(value):
        return "not a finite number"
    names = {bool: "boolean", type(None): "nothing", list: "list"}
    return names.get(type(value)) or _NOUNS.get(type(value), (type(value).__name__,))[0]


def nearest_name(name: str, names: Iterable[str]) -> str | None:
    """Find the name that a misspelt one, look-alike letters folded, or its initials most likely stand for."""
    candidates = list(names)
    folded = unicodedata.normalize("NFKC", name).casefold().replace("-", "_").strip()
    for candidate in candidates:
        if folded in (candidate.casefold(), "".join(word[:1] for word in candidate.split("_"))):
            return candidate
    return next(iter(difflib.get_close_matches(folded, candidates, n=1, cutoff=0.6)), None)


def name_problem(name: object) -> str | None:
    """Say why something cannot be the name of a parameter."""
    if isinstance(name, str) and name.isascii() and name.isidentifier() and not keyword.iskeyword(name):
        return None
    return f"{shown(name)} is not a parameter name{_strange_letter(name)}; allowed: letters, digits and _"


def _strange_letter(name: object) -> str:
    letter = next((letter for letter in str(name) if not letter.isascii()), None)
    return f" (it has {unicodedata.name(letter, ascii(letter))}, U+{ord(letter):04X})" if letter else ""


def hint(value: object, field: FieldInfo) -> str:
    """Say what was probably meant, such as `write 0.001` for the text '1e-3'."""
    expected, choices = _wanted(field.annotation)
    if isinstance(value, str):
        return _hint_for_text(value, expected, choices)
    if isinstance(value, float) and value.is_integer() and int in expected and float not in expected:
        return f"write {int(value)}"
    if isinstance(value, tuple) and list in expected:
        return f"write {shown(list(value))}"
    if isinstance(value, int | float) and list in expected and math.isfinite(value):
        return f"write [{shown(value)}]"
    if isinstance(value, list) and len(value) == 1 and list not in expected:
        return f"write {shown(value[0])}"
    return ""


def _hint_for_text(text: str, expected: set[type], choices: Sequence[str]) -> str:
    near = nearest_name(text, choices)
    if near:
        return f"nearest: {near}"
    if bool in expected and text.lower() in _SPOKEN_BOOLEANS:
        return f"write {_SPOKEN_BOOLEANS[text.lower()]}"
    number = _number_in(text)
    if number is not None and (float in expected or (int in expected and isinstance(number, int))):
        return f"write {number}"
    if list in expected:
        return next((f"write {spelt}" for spelt in (text, f"[{text}]") if _is_json_list(spelt)), "")
    return ""


def _number_in(text: str) -> int | float | None:
    """Read the finite number that a text spells; whole ones become int."""
    if len(text) > _SHOWN_CHARACTERS:
        return None
    try:
        number = float(text)
    except ValueError:
        return None
    if not math.isfinite(number):
        return None
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def _is_json_list(text: str) -> bool:
    try:
        return len(text) <= _SHOWN_CHARACTERS and isinstance(json.loads(text), list) and text != "[]"
    except ValueError:
        return False


def _wanted(annotation: Any) -> tuple[set[type], list[str]]:
    """Collect the base types and the literal texts of an annotation; list items do not count."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return set(), [choice for choice in arguments if isinstance(choice, str)]
    if origin is Annotated:
        return _wanted(arguments[0])
    if origin in (Union, types.UnionType):
        parts = [_wanted(argument) for argument in arguments]
        return set().union(*(part[0] for part in parts)), [choice for part in parts for choice in part[1]]
    return {origin or annotation}, []


def _allowed(annotation: Any, metadata: Sequence[Any], *, plural: bool) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        inner = [*metadata, *_flat(arguments[1:])]
        return _allowed(arguments[0], inner, plural=plural)
    if origin in (Union, types.UnionType):
        return " or ".join(
            _allowed(part, [] if part is type(None) else metadata, plural=plural) for part in arguments
        )
    if origin is Literal:
        return "one of " + ", ".join(str(choice) for choice in arguments)
    if origin is list:
        items = _allowed(arguments[0], [], plural=True)
        return f"list of {items}{_length(metadata, 'item')}"
    noun = _NOUNS.get(origin or annotation, (str(annotation),) * 2)[plural]
    return f"{noun}{_range(metadata)}{_length(metadata, 'character')}"


def _flat(metadata: Iterable[Any]) -> list[Any]:
    """Unpack the `Field(...)`s among the metadata of an `Annotated`."""
    return [part for item in metadata for part in (item.metadata if isinstance(item, FieldInfo) else [item])]


def _bounds(metadata: Sequence[Any], names: Sequence[str]) -> dict[str, Any]:
    return {
        name: getattr(item, name)
        for item in metadata
        for name in names
        if getattr(item, name, None) is not None
    }


def _range(metadata: Sequence[Any]) -> str:
    bounds = _bounds(metadata, ("ge", "gt", "le", "lt", "multiple_of", "pattern"))
    if {"ge", "le"} <= bounds.keys():
        words = [f" from {bounds['ge']} to {bounds['le']}"]
    else:
        spelt = (("ge", "at least"), ("gt", "above"), ("le", "at most"), ("lt", "below"))
        limits = " and ".join(f"{word} {bounds[name]}" for name, word in spelt if name in bounds)
        words = [f" {limits}" if limits else ""]
    if "multiple_of" in bounds:
        words.append(f" in steps of {bounds['multiple_of']}")
    if "pattern" in bounds:
        words.append(f" like {bounds['pattern']}")
    return "".join(words)


def _length(metadata: Sequence[Any], noun: str) -> str:
    bounds = _bounds(metadata, ("min_length", "max_length"))
    low, high = bounds.get("min_length"), bounds.get("max_length")
    words = "" if low is None else f", at least {low} {noun}{'s' * (low != 1)}"
    words += "" if high is None else f", at most {high} {noun}{'s' * (high != 1)}"
    return words + (", all different" if any(isinstance(item, Distinct) for item in metadata) else "")
