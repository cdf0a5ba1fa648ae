"""Keep records by content key: whole and checked, or not at all."""

import contextlib
import io
import json
import math
import secrets
import shutil
import sys
import time
import zipfile
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ntkd_lib.lab.atomic import json_text, sync_folder, write_bytes
from ntkd_lib.lab.cells import CellError, CellResult, Record
from ntkd_lib.lab.digest import digest_json, plain, sha256_bytes

SCHEMA = 1
_IDENTITY = ("arguments", "data", "needs", "sources", "versions", "work")
_FIELDS = {*_IDENTITY, "schema", "key", "name", "values", "arrays", "digest"}
_FILES = ("record.json", "arrays.npz", "provenance.json")
_STALE = 3600.0  # seconds after which an unfinished save is that of a dead process


class RecordError(CellError):
    """A record cannot be trusted or made; the text is one line."""


class CellStore:
    """Records in folders `root/key[:2]/key`, each appearing in one step."""

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root)

    def folder(self, key: str) -> Path:
        """Name the folder of a record."""
        return self.root / key[:2] / key

    def error_file(self, key: str) -> Path:
        """Name the file that holds the traceback of a cell that failed last time."""
        return self.root / f"{key}.error.txt"

    def find(self, key: str) -> Record | None:
        """Load a record if a good one is there; a bad one is put aside, and said in one line."""
        if not self.folder(key).exists():
            return None
        try:
            return self.load(key)
        except RecordError as error:
            aside = self._quarantine(key)
            print(f"{error}; put aside as {aside}, will be made again", file=sys.stderr)
            return None

    def load(self, key: str) -> Record:
        """Load a record and check all of it; a `RecordError` says what is missing, altered or foreign."""
        folder = self.folder(key)
        try:
            content = json.loads((folder / "record.json").read_bytes())
            origin = json.loads((folder / "provenance.json").read_bytes())
            packed = (folder / "arrays.npz").read_bytes()
            problem = _problem(content, key, packed) or _problem_of_origin(origin, key)
        except FileNotFoundError as error:
            raise RecordError(f"record {key[:12]}: {Path(error.filename).name} is missing") from error
        except ValueError as error:
            raise RecordError(f"record {key[:12]}: a file of it is cut off or not plain JSON") from error
        if problem:
            raise RecordError(f"record {key[:12]}: {problem}")
        arrays = StoredArrays(folder / "arrays.npz", content["arrays"])
        return Record(key, content["name"], content["values"], arrays, origin["provenance"])

    def save(
        self, key: str, name: str, parts: Mapping[str, Any], result: CellResult, provenance: Mapping[str, Any]
    ) -> Record:
        """Save what a cell returned under its key, the digest of `parts`, unless a good record is there."""
        try:
            packed = pack_arrays(result.arrays)
            content = {**parts, "schema": SCHEMA, "key": key, "name": name, "arrays": sha256_bytes(packed)}
            content["values"] = plain(dict(result.values), "values")
        except ValueError as error:
            raise RecordError(f"cell {name}: {error}") from error
        if digest_json(parts) != key:
            raise RecordError(f"cell {name}: the key {key[:12]} is not that of its content")
        origin = {"key": key, "provenance": dict(provenance)}
        texts = {"record.json": json_text(_sealed(content)), "provenance.json": json_text(_sealed(origin))}
        return self.adopt(key, {"arrays.npz": packed, **{n: text.encode() for n, text in texts.items()}})

    def files(self, key: str) -> dict[str, bytes]:
        """Read the files of a record, to send it elsewhere."""
        return {name: (self.folder(key) / name).read_bytes() for name in _FILES}

    def adopt(self, key: str, files: Mapping[str, bytes]) -> Record:
        """Save the files of a record, and check it."""
        with self._scratch() as scratch:
            for name in _FILES:
                write_bytes(scratch / name, files[name])
            self._publish(scratch, key)
        return self.load(key)

    @contextlib.contextmanager
    def _scratch(self) -> Iterator[Path]:
        unfinished = self.root / "unfinished"
        unfinished.mkdir(parents=True, exist_ok=True)
        _sweep(unfinished)
        scratch = unfinished / secrets.token_hex(8)
        scratch.mkdir()
        try:
            yield scratch
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def _publish(self, scratch: Path, key: str) -> None:
        folder = self.folder(key)
        folder.parent.mkdir(exist_ok=True)
        while True:
            try:
                scratch.rename(folder)  # fails where the folder is there and not empty
                break
            except OSError:
                if not folder.exists():
                    raise
                if self.find(key):
                    return
        sync_folder(folder.parent)

    def _quarantine(self, key: str) -> str:
        folder = self.folder(key)
        number = 1
        while (aside := folder.with_name(f"{key}.{number}.bad")).exists():
            number += 1
        try:
            folder.rename(aside)
        except OSError:
            if folder.exists():  # else another process put it aside first
                raise
        return aside.name


class StoredArrays(Mapping[str, np.ndarray]):
    """Arrays of a record, read from its file when first used."""

    def __init__(self, path: Path, digest: str) -> None:
        self.path = path
        self.digest = digest

    def __getitem__(self, name: str) -> np.ndarray:
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    @cached_property
    def _arrays(self) -> dict[str, np.ndarray]:
        packed, record = self.path.read_bytes(), f"record {self.path.parent.name[:12]}"
        if sha256_bytes(packed) != self.digest:
            raise RecordError(f"{record}: arrays.npz has changed since it was checked")
        try:
            return unpack_arrays(packed)
        except (ValueError, zipfile.BadZipFile) as error:
            raise RecordError(f"{record}: {error}") from None


def pack_arrays(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Write arrays in NumPy's `.npz` form, with equal bytes for equal arrays."""
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray) or array.dtype.hasobject:
            kind = f"an array of {array.dtype}" if isinstance(array, np.ndarray) else type(array).__name__
            raise ValueError(f"arrays.{name}: {kind} cannot be stored, only arrays of plain dtypes")
    buffer = io.BytesIO()
    np.savez(buffer, **{name: np.asarray(arrays[name], order="C") for name in sorted(arrays)})
    return buffer.getvalue()


def unpack_arrays(packed: bytes) -> dict[str, np.ndarray]:
    """Read what `pack_arrays` wrote, each member as long as its header says; nothing else is decoded."""
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        for member in archive.infolist():
            with archive.open(member) as handle:
                np.lib.format.read_magic(handle)
                shape, _, dtype = np.lib.format.read_array_header_1_0(handle)
                size = handle.tell() + math.prod(shape) * dtype.itemsize
            if member.compress_type or not len(packed) > size == member.file_size:
                raise ValueError(f"arrays.npz: {member.filename} claims {size:,} bytes")
    with np.load(io.BytesIO(packed), allow_pickle=False) as arrays:
        return dict(arrays)


def _problem(content: Any, key: str, packed: bytes) -> str:
    """Say what is wrong with a record, in a few words; nothing when it is good."""
    if not isinstance(content, dict):
        return "record.json is not a mapping"
    if content.get("schema") != SCHEMA:
        return f"schema {content.get('schema')!r}, this version reads {SCHEMA}"
    if set(content) != _FIELDS:
        return "its fields are not those of a record"
    if content != _sealed(content):
        return "record.json was altered"
    if content["key"] != key or digest_json({part: content[part] for part in _IDENTITY}) != key:
        return f"it belongs to the key {str(content['key'])[:12]}"
    if sha256_bytes(packed) != content["arrays"]:
        return "arrays.npz was altered or cut off"
    return ""


def _problem_of_origin(origin: Any, key: str) -> str:
    whole = isinstance(origin, dict) and set(origin) == {"key", "provenance", "digest"}
    if whole and origin == _sealed(origin) and origin["key"] == key:
        return ""
    return "provenance.json was altered"


def _sealed(content: dict[str, Any]) -> dict[str, Any]:
    rest = {name: value for name, value in content.items() if name != "digest"}
    return {**rest, "digest": digest_json(rest)}


def _sweep(unfinished: Path) -> None:
    """Remove what killed processes left; a living one needs seconds, not an hour."""
    for folder in unfinished.iterdir():
        with contextlib.suppress(OSError):
            if time.time() - folder.stat().st_mtime > _STALE:
                shutil.rmtree(folder, ignore_errors=True)
