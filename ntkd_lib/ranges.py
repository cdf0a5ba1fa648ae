"""Check numbers of settings: kind, range and unit; NaN and booleans never pass."""

from math import inf, isfinite
from numbers import Integral, Real
from typing import Any


def check_number(
    name: str, value: object, low: float, high: float = inf, *, unit: str = "", whole: bool = False
) -> None:
    """Refuse a setting that is not a finite number within a range.

    >>> check_number("pitch", 586, 0.05, 5, unit="um")
    Traceback (most recent call last):
    ValueError: pitch: got 586 um, allowed: 0.05 to 5 um

    Args:
        name: Name of the setting.
        value: What came.
        low: Smallest allowed value.
        high: Largest allowed value; infinity for any finite number.
        unit: Unit of the value.
        whole: Whether it must be a whole number.

    Raises:
        ValueError: In one line, what came and what is allowed.
    """
    number = isinstance(value, Integral if whole else Real) and not isinstance(value, bool)
    if number and isfinite(value) and low <= value <= high:
        return
    shown = f"{value:g}" if isinstance(value, Real) and not isinstance(value, bool) else repr(value)
    allowed = f"{low:g} or more" if high == inf else f"{low:g} to {high:g}"
    space = " " if unit else ""
    kind = ", whole" if whole else ""
    raise ValueError(f"{name}: got {shown}{space}{unit}, allowed: {allowed}{space}{unit}{kind}")


def check_word(name: str, value: object, allowed: tuple[object, ...]) -> None:
    """Refuse a setting that is not one of the allowed values.

    Args:
        name: Name of the setting.
        value: What came.
        allowed: The values.

    Raises:
        ValueError: In one line, what came and what is allowed.
    """
    if not any(value is word or (isinstance(word, str) and value == word) for word in allowed):
        raise ValueError(f"{name}: got {value!r}, allowed: {', '.join(map(str, allowed))}")


def check_intensities(name: str, images: Any) -> None:
    """Refuse images that are not in [0, 1], such as normalised ones."""
    low, high = (float(end) for end in (images.min(), images.max()))
    if not (low >= 0 and high <= 1):
        raise ValueError(f"{name}: got values from {low:g} to {high:g}, allowed: intensities from 0 to 1")
