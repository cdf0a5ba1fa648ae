"""Read YAML 1.2 as plain data: `no` is text, `012` is twelve, `1e-3` is a number, as they look.

PyYAML follows YAML 1.1; its scalars are read here by the core schema of 1.2. Names given twice, tags, aliases
and anything but mappings, lists and scalars are errors.
"""

import re
from itertools import accumulate
from pathlib import Path
from typing import Any

import yaml

_SCALARS = {  # pattern of each kind of scalar
    "null": r"~|null|Null|NULL|",
    "bool": r"true|True|TRUE|false|False|FALSE",
    "int": r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+",
    "float": r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
}
_MOST_DIGITS = 40
_ODD = re.compile(r"[\t\ufeff]|\?(?!\))|[|>]\S*#")  # libyaml does not refuse it wherever PyYAML does


class YamlError(ValueError):
    """A YAML file that is not plain data; the text is one line."""


class _Refusal(yaml.MarkedYAMLError):
    def __init__(self, node: yaml.Node | yaml.Event, problem: str) -> None:
        super().__init__(problem=problem, problem_mark=node.start_mark)


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's own, emptied

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Refuse aliases and tags before anything is made of them."""
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent):
            raise _Refusal(event, "aliases (*name) are not allowed: write the value out")
        if tag := getattr(event, "tag", None):
            shown = tag.replace("tag:yaml.org,2002:", "!!", 1)
            raise _Refusal(event, f"the tag {shown} is not allowed: only plain data is")
        return super().compose_node(parent, index)

    def read_mapping(self, node: yaml.MappingNode) -> dict[str, Any]:
        """Build a mapping whose names are text and all different."""
        result: dict[str, Any] = {}
        for key, value in node.value:
            name = self.construct_object(key, deep=True) if isinstance(key, yaml.ScalarNode) else None
            if not isinstance(name, str):
                shown = repr(key.value) if isinstance(key, yaml.ScalarNode) else f"'a {key.id}'"
                raise _Refusal(key, f"the name {shown} is not text")
            if name in result:
                raise _Refusal(key, f"{name} is given twice")
            result[name] = self.construct_object(value, deep=True)
        return result

    def read_whole_number(self, node: yaml.ScalarNode) -> int:
        """Read a decimal, octal (0o7) or hexadecimal (0xF) number."""
        if len(node.value) > _MOST_DIGITS:
            raise _Refusal(node, f"a number of {len(node.value)} characters is too long")
        return int(node.value, 0) if node.value[:2] in ("0o", "0x") else int(node.value)


for _kind, _pattern in _SCALARS.items():
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", re.compile(rf"(?:{_pattern})\Z"), None)
_Loader.add_constructor("tag:yaml.org,2002:map", _Loader.read_mapping)
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.read_whole_number)


class _FastLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    yaml_implicit_resolvers, yaml_constructors = _Loader.yaml_implicit_resolvers, _Loader.yaml_constructors


def _is_simple(text: str) -> bool:
    """Tell whether libyaml, six times as fast, reads a text as PyYAML does: no alias, tag, tab, error."""
    try:
        events = [] if _ODD.search(text) else [*yaml.parse(text, _FastLoader)]
    except yaml.YAMLError:  # PyYAML's words are plainer
        return False
    rise = (isinstance(e, yaml.CollectionStartEvent) - isinstance(e, yaml.CollectionEndEvent) for e in events)
    odd = any(isinstance(event, yaml.AliasEvent) or getattr(event, "tag", None) for event in events)
    return bool(events) and not odd and max(accumulate(rise)) <= 50


def read_yaml(path: Path) -> Any:
    """Read a YAML file into dicts, lists, text, numbers, booleans and None."""
    try:
        return yaml.load(text := Path(path).read_text("utf-8"), _FastLoader if _is_simple(text) else _Loader)
    except (OSError, UnicodeDecodeError) as error:
        raise YamlError(f"{path.name}: cannot be read: {_one_line(error)}") from None
    except yaml.MarkedYAMLError as error:
        raise YamlError(f"{path.name}: {_marked(error)}") from None
    except yaml.YAMLError as error:
        raise YamlError(f"{path.name}: {_one_line(error)}") from None
    except RecursionError:
        raise YamlError(f"{path.name}: nested too deeply") from None


def _marked(error: yaml.MarkedYAMLError) -> str:
    problem = _one_line(error.problem or error.context or "not YAML")
    if "'\\t'" in problem:
        problem = "a tab where YAML wants spaces"
    return f"line {error.problem_mark.line + 1}: {problem}" if error.problem_mark else problem


def _one_line(error: object) -> str:
    return " ".join(str(error).split())
