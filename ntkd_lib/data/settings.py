"""Read the environment variables on the origin of data."""

import difflib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ntkd_lib.imports import extra

_YES, _NO = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


class DataError(ValueError):
    """A data set is missing or wrong; the message has one line with the remedy."""


def check_known(what: str, name: str, allowed: Iterable[str], hint: str = "") -> None:
    """Refuse a name that is not among the allowed ones."""
    if name not in allowed:
        raise DataError(f"unknown {what} {name!r}; allowed: {', '.join(allowed)}{hint}")


@dataclass(frozen=True)
class DataSettings:
    """Folders to search for data, and whether a stand-in is allowed."""

    data_root: Path | None  # the user's own folder, `$NTKD_DATA`
    cache_root: Path  # of downloads: `$NTKD_CACHE` or the user cache
    offline: bool | None  # None: try the network unless it was missing a moment ago
    required: bool  # `DATA=require`: a stand-in is an error


def read_settings() -> DataSettings:
    """Read `NTKD_DATA`, `NTKD_CACHE`, `NTKD_OFFLINE` and `DATA`."""
    return DataSettings(_data_root(), _cache_root(), _offline(), _required())


def _data_root() -> Path | None:
    text = os.environ.get("NTKD_DATA", "")
    if not text:
        return None
    root = Path(text).expanduser().absolute()
    if not root.is_dir():
        raise DataError(f"NTKD_DATA={text} is not a folder; give one that holds MNIST/raw, or unset it")
    return root


def _cache_root() -> Path:
    text = os.environ.get("NTKD_CACHE", "")
    if text:
        return Path(text).expanduser().absolute()
    with extra("data"):
        import pooch

    return Path(pooch.os_cache("ntkd"))


def _offline() -> bool | None:
    text = os.environ.get("NTKD_OFFLINE", "").strip().lower()
    if text and text not in _YES + _NO:
        raise DataError(f"NTKD_OFFLINE={text} is not known; allowed: 1 (no network), 0 (always try) or unset")
    return text in _YES if text else None


def _required() -> bool:
    text = os.environ.get("DATA", "").strip().lower()
    # DATA is a common name: a foreign value is left alone, a misspelt one is not.
    if text != "require" and difflib.get_close_matches(text, ["require"]):
        raise DataError(f"DATA={text} is not known; allowed: require, or unset; nearest: require")
    return text == "require"
