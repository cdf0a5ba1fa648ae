"""Read YAML as plain data, and refuse every construct that YAML 1.1 quietly turns into something else.

PyYAML follows YAML 1.1: it reads `no` as False, `012` as 10, `1:30` as 90, `1_000` as 1000, `1e-3` as text.
Such a scalar becomes a `Surprise` here, so that whoever typed it is told; duplicate keys, tags, aliases and
anything but mappings, lists and scalars are errors.
"""

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_BOOLEAN = {"true": True, "false": False}
_WHOLE = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_REAL = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+][0-9]+)?")
_EXPONENT_TEXT = re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+")
_WORDS_FOR_BOOLEANS = re.compile(r"yes|no|on|off", re.IGNORECASE)
_PREFIX = "tag:yaml.org,2002:"
_MAX_DIGITS = 40
_RESOLVER = yaml.resolver.Resolver()


class YamlError(ValueError):
    """A YAML file that is not plain data; the text is one line."""


@dataclass(frozen=True)
class Surprise:
    """A scalar that YAML 1.1 reads differently from how it looks.

    Attributes:
        raw: the scalar as typed.
        hint: one line that says what YAML makes of it and what to write instead.
    """

    raw: str
    hint: str

    def __repr__(self) -> str:
        """Show the scalar as it was typed."""
        return self.raw


def read_yaml(path: Path) -> Any:
    """Read a YAML file into dicts, lists, text, numbers, booleans, None and `Surprise`s."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise YamlError(f"{path.name}: cannot be read: {_one_line(error)}") from None
    return parse_yaml(text, path.name)


def parse_yaml(text: str, origin: str) -> Any:
    """Turn YAML text into plain data; `origin` names it in errors."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        return None if node is None else _Reader(origin).value(node, "")
    except yaml.MarkedYAMLError as error:
        raise YamlError(f"{origin}: {_marked(error)}") from None
    except yaml.YAMLError as error:
        raise YamlError(f"{origin}: {_one_line(error)}") from None
    except RecursionError:
        raise YamlError(f"{origin}: nested too deeply") from None


def find_surprise(value: Any, path: str = "") -> tuple[str, Surprise] | None:
    """Find the first `Surprise` in plain data."""
    if isinstance(value, Surprise):
        return path, value
    if isinstance(value, dict):
        children = [(f"{path}.{key}".lstrip("."), child) for key, child in value.items()]
    elif isinstance(value, list):
        children = [(f"{path}[{index}]", child) for index, child in enumerate(value)]
    else:
        return None
    return next((found for place, child in children if (found := find_surprise(child, place))), None)


class _Reader:
    """Turns a node tree into plain data, with the place of each node for the errors."""

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self._seen: set[int] = set()

    def value(self, node: yaml.Node, place: str) -> Any:
        if id(node) in self._seen:
            raise self._error(node, place, "aliases (*name) are not allowed: write the value out")
        self._seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, place)
        if isinstance(node, yaml.SequenceNode):
            self._require_tag(node, place, "seq")
            return [self.value(child, f"{place}[{index}]") for index, child in enumerate(node.value)]
        return self._scalar(node, place)

    def _mapping(self, node: yaml.MappingNode, place: str) -> dict[str, Any]:
        self._require_tag(node, place, "map")
        result: dict[str, Any] = {}
        for key_node, child in node.value:
            key = self._key(key_node, place)
            if key in result:
                raise self._error(key_node, place, f"{key} is given twice")
            result[key] = self.value(child, f"{place}.{key}".lstrip("."))
        return result

    def _key(self, node: yaml.Node, place: str) -> str:
        key = self._scalar(node, place) if isinstance(node, yaml.ScalarNode) else node.id
        if isinstance(key, str) and isinstance(node, yaml.ScalarNode):
            return key
        shown = node.value if isinstance(node, yaml.ScalarNode) else f"a {node.id}"
        raise self._error(node, place, f"the name {shown!r} is not text")

    def _scalar(self, node: yaml.ScalarNode, place: str) -> Any:
        if node.style is not None:
            self._require_tag(node, place, "str")
            return node.value
        tag = _RESOLVER.resolve(yaml.ScalarNode, node.value, (True, False)).removeprefix(_PREFIX)
        self._require_tag(node, place, "str" if tag in ("merge", "value") else tag)
        return _plain_scalar(node.value, tag)

    def _require_tag(self, node: yaml.Node, place: str, tag: str) -> None:
        if node.tag != _PREFIX + tag:
            shown = node.tag.replace(_PREFIX, "!!", 1)
            raise self._error(node, place, f"the tag {shown} is not allowed: only plain data is")

    def _error(self, node: yaml.Node, place: str, message: str) -> YamlError:
        where = f"{self._origin}, line {node.start_mark.line + 1}"
        return YamlError(f"{where}: {place}: {message}" if place else f"{where}: {message}")


def _plain_scalar(raw: str, tag: str) -> Any:
    """Read an unquoted scalar; what two people could read in two ways is a `Surprise`."""
    if tag == "null":
        return None
    if tag == "bool":
        return _BOOLEAN[raw.lower()] if raw.lower() in _BOOLEAN else _surprising_boolean(raw)
    if tag in ("int", "float") and len(raw) > _MAX_DIGITS:
        return Surprise(raw[:12] + "...", f"a number of {len(raw)} characters is too long")
    if tag == "int":
        return _whole_number(raw)
    if tag == "float":
        return _real_number(raw)
    if tag == "timestamp":
        return Surprise(raw, f"YAML 1.1 reads {raw} as a date: write '{raw}' for text")
    return _text(raw)


def _whole_number(raw: str) -> Any:
    if _WHOLE.fullmatch(raw):
        return int(raw)
    read = yaml.safe_load(raw)
    digits = raw.replace("_", "").lstrip("+-")
    meant = f"{'-' * (read < 0)}{int(digits)}" if digits.isdigit() else str(read)
    return Surprise(raw, f"YAML 1.1 reads {raw} as {read}: write {meant}, or '{raw}' for text")


def _real_number(raw: str) -> Any:
    if _REAL.fullmatch(raw):
        return float(raw)
    read = yaml.safe_load(raw)
    if not math.isfinite(read):
        return read
    return Surprise(raw, f"YAML 1.1 reads {raw} as {read}: write {read}, or '{raw}' for text")


def _surprising_boolean(raw: str) -> Surprise:
    read = "true" if yaml.safe_load(raw) else "false"
    return Surprise(raw, f"YAML 1.1 reads {raw} as {read}: write {read}, or '{raw}' for text")


def _text(raw: str) -> Any:
    if _EXPONENT_TEXT.fullmatch(raw):
        return Surprise(raw, f"YAML 1.1 reads {raw} as text: write {_with_point(raw)}")
    return raw


def _with_point(raw: str) -> str:
    """Spell a number like 1e-3 as YAML 1.1 wants it: 1.0e-3."""
    mantissa, exponent = re.split("[eE]", raw)
    mantissa += "" if "." in mantissa else ".0"
    return f"{mantissa}e{exponent if exponent[0] in '+-' else '+' + exponent}"


def _marked(error: yaml.MarkedYAMLError) -> str:
    problem = _one_line(error.problem or error.context or "not YAML")
    if "'\\t'" in problem:
        problem = "a tab where YAML wants spaces"
    return f"line {error.problem_mark.line + 1}: {problem}" if error.problem_mark else problem


def _one_line(error: object) -> str:
    return " ".join(str(error).split())
