"""Words for parameters: what came, what is allowed, what was probably meant."""

import difflib
import json
import keyword
import math
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_NOUNS = {
    "integer": ("whole number", "whole numbers"),
    "number": ("number", "numbers"),
    "string": ("text", "texts"),
    "boolean": ("true or false", "true or false"),
    "object": ("mapping", "mappings"),
    "null": ("null", "nulls"),
}
_KINDS = {
    int: "whole number",
    float: "number",
    str: "text",
    bool: "boolean",
    dict: "mapping",
    list: "list",
    type(None): "nothing",
}
_SPOKEN = dict.fromkeys(("yes", "on", "true"), "true") | dict.fromkeys(("no", "off", "false"), "false")
_SHOWN_CHARACTERS = 60
_MAX_BITS = 200
_DIGITS_PER_BIT = math.log10(2)
Schema = Mapping[str, Any]  # JSON schema of a parameter, as pydantic writes it


class Distinct:
    """Marker for a list whose items must all differ: `Annotated[list[int], Distinct()]`."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        """Add the check to the schema that pydantic makes for the list."""
        from pydantic_core.core_schema import no_info_after_validator_function

        words = {"pydantic_js_updates": {"uniqueItems": True}}
        return no_info_after_validator_function(_require_distinct, handler(source), metadata=words)


def and_more(problems: Sequence[object]) -> str:
    """Count the problems after the first, the one that is named."""
    return f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""


def _require_distinct(items: list) -> list:
    for index, item in enumerate(items):
        if item in items[:index]:
            raise ValueError(f"{item} is given twice")
    return items


def allowed_values(schema: Schema) -> str:
    """Say in words which values a parameter takes, such as `whole number from 1 to 500 [epochs]`."""
    return _allowed(schema) + (f" [{schema['unit']}]" if schema.get("unit") else "")


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
    return _KINDS.get(type(value), type(value).__name__)


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


def hint(value: object, schema: Schema) -> str:
    """Say what was probably meant, such as `write 0.001` for the text '1e-3'."""
    parts = schema.get("anyOf", [schema])
    expected = {part.get("type") for part in parts if not _choices(part)}
    if isinstance(value, str):
        return _hint_for_text(value, expected, [c for p in parts for c in _choices(p) if isinstance(c, str)])
    if isinstance(value, float) and value.is_integer() and "integer" in expected and "number" not in expected:
        return f"write {int(value)}"
    if isinstance(value, tuple) and "array" in expected:
        return f"write {shown(list(value))}"
    if isinstance(value, int | float) and "array" in expected and math.isfinite(value):
        return f"write [{shown(value)}]"
    if isinstance(value, list) and len(value) == 1 and "array" not in expected:
        return f"write {shown(value[0])}"
    return ""


def _hint_for_text(text: str, expected: set[str | None], choices: Sequence[str]) -> str:
    near = nearest_name(text, choices)
    if near:
        return f"nearest: {near}"
    if "boolean" in expected and text.lower() in _SPOKEN:
        return f"write {_SPOKEN[text.lower()]}"
    number = _number_in(text)
    if number is not None and ("number" in expected or ("integer" in expected and isinstance(number, int))):
        return f"write {number}"
    if "array" in expected:
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


def _choices(schema: Schema) -> list[str | int]:
    return schema.get("enum", [schema["const"]] if "const" in schema else [])


def _allowed(schema: Schema, *, plural: bool = False) -> str:
    if "anyOf" in schema:
        return " or ".join(_allowed(part, plural=plural) for part in schema["anyOf"])
    if choices := _choices(schema):
        return f"one of {', '.join(map(str, choices))}"
    if schema["type"] == "array":
        distinct = ", all different" if schema.get("uniqueItems") else ""
        return f"list of {_allowed(schema['items'], plural=True)}{_length(schema, 'Items', 'item')}{distinct}"
    return f"{_NOUNS[schema['type']][plural]}{_range(schema)}{_length(schema, 'Length', 'character')}"


def _range(schema: Schema) -> str:
    if {"minimum", "maximum"} <= schema.keys():
        words = f" from {schema['minimum']} to {schema['maximum']}"
    else:
        least = {"minimum": "at least", "exclusiveMinimum": "above"}
        ends = least | {"maximum": "at most", "exclusiveMaximum": "below"}
        words = " and".join(f" {word} {schema[name]}" for name, word in ends.items() if name in schema)
    words += f" in steps of {schema['multipleOf']}" if "multipleOf" in schema else ""
    return words + (f" like {schema['pattern']}" if "pattern" in schema else "")


def _length(schema: Schema, what: str, noun: str) -> str:
    ends = {"at least": schema.get(f"min{what}"), "at most": schema.get(f"max{what}")}
    return "".join(f", {word} {n} {noun}{'s' * (n != 1)}" for word, n in ends.items() if n is not None)
