"""Load a data set from the user's folder of JPEG files with an index."""

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

import numpy as np
from jaxtyping import Int64, UInt8

from ntkd_lib.data.settings import DataError
from ntkd_lib.lab.digest import digest_json, sha256_file

Row = TypeVar("Row", bound=tuple)
SPLITS = {"train": "train", "test": "val"}


@dataclass(frozen=True)
class PictureDataset:
    """A data set of pictures that is not published for download in this form."""

    name: str
    folder: str  # below a data root, with ``index.csv`` (columns image, split, label) inside
    side: int
    index_sha256: str
    sha256: str  # of the index's and of every picture's hash
    classes: tuple[str, ...]  # names of the labels 0, 1, …
    licence: str


def check_pictures(dataset: PictureDataset, folder: Path) -> str:
    """Compare a folder with its pins."""
    index = folder / "index.csv"
    if not index.is_file():
        return f"{dataset.folder}/index.csv"
    missing = next((name for name, *_ in _entries(index) if not (folder / name).is_file()), None)
    if missing:
        return f"{dataset.folder}/{missing}"
    if sha256_file(index) != dataset.index_sha256 or pictures_digest(folder) != dataset.sha256:
        raise DataError(f"{dataset.name}: {folder} holds other pictures than we know; replace or delete it")
    return ""


@cache
def pictures_digest(folder: Path) -> str:
    """Hash the index and all pictures of a folder, once per process."""
    index = folder / "index.csv"
    hashes = {name: sha256_file(folder / name) for name, *_ in _entries(index)}
    return digest_json({"index.csv": sha256_file(index), **hashes})


def read_pictures(
    dataset: PictureDataset, folder: Path, split: str
) -> tuple[UInt8[np.ndarray, "n 3 h w"], Int64[np.ndarray, " n"]]:
    """Decode the pictures of one part."""
    entries = [(name, label) for name, part, label in _entries(folder / "index.csv") if part == SPLITS[split]]
    pixels = [_decoded(folder / name, dataset.side) for name, _ in entries]
    return np.stack(pixels).transpose(0, 3, 1, 2).copy(), np.array([label for _, label in entries], np.int64)


def _decoded(path: Path, side: int) -> UInt8[np.ndarray, "h w 3"]:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(path.read_bytes())) as picture:
            if picture.size == (side, side):
                return np.asarray(picture.convert("RGB"))
            width, height = picture.size
    except (OSError, Image.DecompressionBombError) as error:
        raise DataError(f"{path.name} cannot be decoded: {error}") from None
    raise DataError(f"{path.name} has {width} x {height} pixels, needs {side} x {side}")


def _entries(index: Path) -> tuple[tuple[str, str, int], ...]:
    """Read the index: name, part and label of each picture."""
    return _parsed(index.read_bytes())


@cache
def _parsed(text: bytes) -> tuple[tuple[str, str, int], ...]:
    return tuple(parse_index(text, lambda row: (row["image"], row["split"], int(row["label"])), "pictures"))


def parse_index(
    text: bytes, parse: Callable[[dict[str, str]], Row], what: str, *, paths: int = 1, name: str = "index.csv"
) -> list[Row]:
    """Read the lines of an index, which begin with `paths` paths inside its folder."""
    try:
        rows = [parse(row) for row in csv.DictReader(io.StringIO(text.decode()))]
    except (csv.Error, KeyError, TypeError, ValueError) as error:
        raise DataError(f"{name} is no index of {what}: {error}") from None
    files = (file for row in rows for file in row[:paths])
    if strange := next((file for file in files if file.startswith("/") or ".." in Path(file).parts), None):
        raise DataError(f"{name} is refused: {strange!r} points outside")
    return rows
