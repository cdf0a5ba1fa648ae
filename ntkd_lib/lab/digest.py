"""SHA-256 of bytes, files and plain data."""

import hashlib
import json
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path


def sha256_bytes(data: bytes) -> str:
    """Hash bytes."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: str | os.PathLike[str]) -> str:
    """Hash a file's content, piece by piece."""
    with Path(path).open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def changes(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Compare hashes by name: each name that is `missing`, `added` or `changed`, in order."""
    for name in sorted(before.keys() | now.keys()):
        if before.get(name) != now.get(name):
            yield name, "missing" if name not in now else "changed" if name in before else "added"


def canonical_json(value: object) -> str:
    """Write plain data in the one form that equal data share.

    Keys are sorted, tuples are lists, there is no white space, text is ASCII; `1` and `1.0` differ.
    """
    return json.dumps(plain(value), sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest_json(value: object) -> str:
    """Hash plain data by its canonical JSON."""
    return sha256_bytes(canonical_json(value).encode("ascii"))


def plain(value: object, where: str = "value") -> object:
    """Copy plain data as `json` would read it back: tuples become lists, mappings become dicts."""
    if value is None or type(value) in (bool, int, str):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{where}: {value} is not a finite number")
        return float(value)
    if isinstance(value, list | tuple):
        return [plain(item, f"{where}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, Mapping):
        if strange := [key for key in value if not isinstance(key, str)]:
            raise ValueError(f"{where}: key {strange[0]!r} is {type(strange[0]).__name__}, not text")
        return {str(key): plain(item, f"{where}.{key}") for key, item in value.items()}
    raise ValueError(
        f"{where}: {type(value).__name__} is not plain data (None, bool, int, float, str, list, dict)"
    )
