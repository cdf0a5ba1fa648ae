"""Refusal of settings that an estimator cannot work with."""

from numbers import Real
from typing import Any

Setting = Any  # of an estimator: checked when it is fitted and not before, as scikit-learn asks
Table = Any  # arrays, lists, memory maps, data frames: what scikit-learn's own validation takes


def check_at_least(owner: str, name: str, value: object, least: float) -> None:
    """Refuse a setting that is no number or too small.

    Args:
        owner: Name of the estimator.
        name: Name of the setting.
        value: What came.
        least: Smallest allowed value.

    Raises:
        ValueError: With a line that names the setting, what came and what is allowed.
    """
    if not isinstance(value, Real) or isinstance(value, bool) or not value >= least:
        raise ValueError(f"{owner}: {name} = {value!r}; allowed: a number of at least {least:g}")


def check_choice(owner: str, name: str, value: object, allowed: tuple[str, ...]) -> None:
    """Refuse a setting that is not one of a few words.

    Args:
        owner: Name of the estimator.
        name: Name of the setting.
        value: What came.
        allowed: The words.

    Raises:
        ValueError: With a line that names the setting, what came and what is allowed.
    """
    if value not in allowed:
        raise ValueError(f"{owner}: {name} = {value!r}; allowed: {', '.join(allowed)}")
