"""Spaces that recorded searches draw settings from: named ranges, each with a scale of its own."""

import math
from typing import Literal

Range = tuple[float, float, Literal["log", "linear"]]


def place(bounds: Range, share: float) -> float:
    """Give the value at a share of a range, rounded to three significant digits.

    Args:
        bounds: The range and its scale.
        share: In [0, 1].

    Returns:
        The value.
    """
    low, high, scale = bounds
    if scale == "log":
        low, high = math.log(low), math.log(high)
    value = low + share * (high - low)
    return float(f"{math.exp(value) if scale == 'log' else value:.3g}")
