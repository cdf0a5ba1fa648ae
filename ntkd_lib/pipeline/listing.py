"""Lay out a notebook's parameters as plain text."""

import json
from collections.abc import Iterator, Sequence

from ntkd_lib.lab.parameters import ParameterRow


def parameter_lines(notebook: str, rows: Sequence[ParameterRow]) -> Iterator[str]:
    """Write two lines a parameter: what is allowed and its values, then what it does."""
    yield f"parameters of {notebook} (change one: ntkd run {notebook[:2]} -p NAME=VALUE)"
    for row in rows:
        yield ""
        yield f"{row.name}: {row.allowed}"
        yield f"    {row.help}"
        yield f"    default: {_defaults(row)}"


def _defaults(row: ParameterRow) -> str:
    shown = {tier: json.dumps(value, ensure_ascii=False) for tier, value in row.defaults.items()}
    unit = f" {row.unit}" if row.unit else ""
    if row.name == "tier":
        return "the chosen tier"
    if len(set(shown.values())) == 1:
        return f"{next(iter(shown.values()))}{unit}"
    return ", ".join(f"{text}{unit} ({tier})" for tier, text in shown.items())
