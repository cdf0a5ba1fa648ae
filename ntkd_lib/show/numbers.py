"""Numbers, intervals and signs of verdicts on pages."""

import re
from math import isnan
from typing import Literal

_STATUSES = ("exceeded", "reproduced", "not reproduced", "undecided", "not assessed")
SIGNS = dict(zip(_STATUSES, "▲●✕◐○", strict=True))
OUTCOME_SIGNS = {**SIGNS, "claim failed": "✕", "baseline stronger": "✕↑", "baseline weaker": "✕↓"}
UNIT_WORDS = {"percent": "%", "points": "points", "ratio": "×"}
MINUS = "\N{MINUS SIGN}"
NONE = "\N{EN DASH}"
NO_BREAK = "\N{NO-BREAK SPACE}"


def number(value: float, unit: str | None, digits: int | None = None) -> str:
    """Format a number without its unit; percentages, points and dB with two digits."""
    if digits is None and (unit in ("percent", "points", "dB") or abs(value) >= 1e4):
        digits = 0 if abs(value) >= 1e4 else 2
    text = f"{value:,.4g}" if digits is None else f"{value:,.{digits}f}"
    return text.replace("-", MINUS)


def format_value(value: float, unit: str | None, digits: int | None = None) -> str:
    """Format a number with its unit."""
    word = UNIT_WORDS.get(unit or "", unit or "")
    return f"{number(value, unit, digits)}{NO_BREAK}{word}".strip()


def difference(value: float, unit: str | None, digits: int | None = None) -> str:
    """Format a difference of two numbers of a unit, with its sign."""
    text = format_value(value, "points" if unit == "percent" else unit, digits)
    return f"+{text}" if value > 0 else text


def signed(value: float, digits: int = 2) -> str:
    """Format a number with its sign; a dash for NaN."""
    return NONE if isnan(value) else f"{value:+.{digits}f}".replace("-", MINUS)


def with_minus(text: str) -> str:
    """Write the minus of a negative number as a minus sign, not a hyphen."""
    return re.sub(r"(?<![\w)])-(?=[\d.])", MINUS, text)


def interval_text(low: float, high: float, sign: Literal["", "+"] = "") -> str:
    """Format an interval; a dash for NaN, the interval of a single seed."""
    return NONE if isnan(low) else f"[{low:{sign}.2f}, {high:{sign}.2f}]".replace("-", MINUS)


def ends(interval: tuple[float, float], unit: str | None) -> str:
    """Format the two ends of an interval in a unit."""
    low, high = (number(end, unit) for end in interval)
    return f"[{low}, {high}]"
