"""Pair the photographs of a data set with their masks, check the pairs, and decode them reduced."""

from __future__ import annotations

import hashlib
import io
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jaxtyping import Bool, UInt8

from ntkd_lib.data.pictures import parse_index
from ntkd_lib.data.settings import DataError
from ntkd_lib.lab.digest import digest_json, sha256_file

if TYPE_CHECKING:
    from PIL.Image import Image

Part = Literal["train", "val", "test"]
PARTS: tuple[Part, ...] = ("train", "val", "test")
HELD_OUT = 0.1
HALF = 128  # of 255: a reduced mask pixel is set if at least half of its area was
_PHOTOGRAPH = re.compile(r"(?P<car>[0-9a-z]+)_(?P<view>\d\d)\.jpg")


@dataclass(frozen=True)
class MaskDataset:
    """A data set of photographs with masks that cannot be redistributed: the user brings a copy."""

    name: str
    folder: str  # reduced form below a data root: ``index.csv``, ``images/``, ``masks/``; empty if drawn
    original: str  # published form below a data root: ``train/``, ``train_masks/``
    height: int
    width: int
    cars: int
    views: int
    sha256: str  # of the hashes of all files of the reduced form
    classes: tuple[str, ...]  # names of the pixel classes 0, 1
    licence: str
    published_names: str = ""  # SHA-256 of the names of all photographs as published, each in a line
    published_pictures: Sequence[Any] = ()  # name, share of the car, mean of 0 to 255


_CLOSE = (0.02, 6.0)  # what another decoder or reduction may change


@dataclass(frozen=True)
class Pair:
    """One photograph and its mask."""

    image: Path
    mask: Path
    car: str
    view: int  # direction, from 1
    part: Part


def split_cars(cars: Iterable[str]) -> dict[str, Part]:
    """Split by object, never by photograph, into training, validation and test.

    They are ordered by the SHA-256 of their names; the last shares are test and validation.

    >>> split_cars(["a", "b", "c"])
    {'c': 'train', 'b': 'val', 'a': 'test'}
    """
    ordered = sorted(set(cars), key=lambda car: hashlib.sha256(car.encode()).hexdigest())
    held = max(1, round(len(ordered) * HELD_OUT))
    if len(ordered) < 3:
        raise DataError(f"{len(ordered)} cars cannot be split into train, val and test; needs 3 or more")
    first = len(ordered) - 2 * held
    parts: list[Part] = ["train"] * first + ["val"] * held + ["test"] * held
    return dict(zip(ordered, parts, strict=True))


def find_pairs(dataset: MaskDataset, folder: Path) -> list[Pair]:
    """List the pairs of a folder, reduced or as published, by part and name; refuse all but the whole set."""
    reduced = folder.name == dataset.folder
    pairs = _reduced_pairs(dataset, folder) if reduced else _original_pairs(dataset, folder)
    missing = next((path for pair in pairs for path in (pair.image, pair.mask) if not path.is_file()), None)
    if missing:
        what = "mask" if missing.parent.name.endswith("masks") else "image"
        raise DataError(f"{dataset.name}: {what} {missing.parent.name}/{missing.name} is missing; restore it")
    _refuse_shared_cars(dataset, pairs)
    _refuse_part_of_set(dataset, pairs)
    return sorted(pairs, key=lambda pair: (PARTS.index(pair.part), pair.car, pair.view))


def _reduced_pairs(dataset: MaskDataset, folder: Path) -> list[Pair]:
    index = folder / "index.csv"
    if not index.is_file():
        raise DataError(f"{dataset.name}: {folder} holds no index.csv; restore it or delete the folder")
    rows = parse_index(index.read_bytes(), _row, "masks", paths=2, name=f"{dataset.name}: index.csv")
    return [Pair(folder / image, folder / mask, car, view, part) for image, mask, car, view, part in rows]


def _row(row: dict[str, str]) -> tuple[str, str, str, int, Part]:
    part = next((name for name in PARTS if name == row["split"]), None)
    if part is None:
        raise ValueError(f"split {row['split']!r} is not one of {', '.join(PARTS)}")
    return row["image"], row["mask"], row["car"], int(row["view"]), part


def _original_pairs(dataset: MaskDataset, folder: Path) -> list[Pair]:
    photographs = sorted((folder / "train").glob("*.jpg"))
    if not photographs:
        raise DataError(f"{dataset.name}: {folder / 'train'} holds no .jpg; unpack train.zip there")
    named = {path: _PHOTOGRAPH.fullmatch(path.name) for path in photographs}
    strange = next((path.name for path, match in named.items() if match is None), None)
    if strange:
        raise DataError(f"{dataset.name}: train/{strange} is not named CAR_VIEW.jpg; remove it")
    photographs = {path: (match["car"], int(match["view"])) for path, match in named.items() if match}
    part = split_cars(car for car, _ in photographs.values())
    masks = folder / "train_masks"
    return [Pair(p, masks / f"{p.stem}_mask.gif", *place, part[place[0]]) for p, place in photographs.items()]


def _refuse_shared_cars(dataset: MaskDataset, pairs: list[Pair]) -> None:
    parts: dict[str, Part] = {}
    for pair in pairs:
        if parts.setdefault(pair.car, pair.part) != pair.part:
            both = f"car {pair.car} is in {parts[pair.car]} and in {pair.part}"
            raise DataError(f"{dataset.name}: {both}; each car belongs to one split")


def _refuse_part_of_set(dataset: MaskDataset, pairs: list[Pair]) -> None:
    cars = {pair.car for pair in pairs}
    distinct = {(pair.car, pair.view) for pair in pairs}
    if (len(cars), len(pairs), len(distinct)) != (dataset.cars, *2 * [dataset.cars * dataset.views]):
        whole = f"the whole set has {dataset.cars * dataset.views:,} of {dataset.cars}; unpack it again"
        raise DataError(f"{dataset.name}: found {len(pairs):,} pairs of {len(cars)} cars, {whole}")


@cache
def files_digest(pairs: tuple[Pair, ...], folder: Path) -> str:
    """Hash the files of all pairs, and the index if there is one, once per process."""
    files = [path for pair in pairs for path in (pair.image, pair.mask)]
    index = folder / "index.csv"
    files += [index] if index.is_file() else []
    return digest_json({path.relative_to(folder).as_posix(): sha256_file(path) for path in files})


def check_masks(dataset: MaskDataset, folder: Path) -> str:
    """Check that a folder holds the whole data set, by pins or by all names and some pictures; hash it."""
    pairs = find_pairs(dataset, folder)
    digest = files_digest(tuple(pairs), folder)
    if folder.name == dataset.folder:
        if digest != dataset.sha256:
            raise DataError(f"{dataset.name}: {folder} holds other files than we know; replace or delete it")
    elif dataset.published_names:
        _refuse_other_pictures(dataset, pairs)
    return digest


def _refuse_other_pictures(dataset: MaskDataset, pairs: list[Pair]) -> None:
    """Compare file names and some pictures with the published form."""
    stems = sorted(pair.image.stem for pair in pairs)
    if hashlib.sha256("\n".join(stems).encode()).hexdigest() != dataset.published_names:
        raise DataError(f"{dataset.name}: the files in train/ are not named as published; replace them")
    by_name = {pair.image.stem: pair for pair in pairs}
    for stem, foreground, brightness in dataset.published_pictures:
        image, mask = read_pair(dataset, by_name[stem])
        shown = (mask.mean(), image.mean())
        if abs(shown[0] - foreground) > _CLOSE[0] or abs(shown[1] - brightness) > _CLOSE[1]:
            own = f"car on {shown[0]:.0%}, brightness {shown[1]:.0f}"
            came = f"train/{stem}.jpg is not the published picture ({own}; published"
            raise DataError(f"{dataset.name}: {came} {foreground:.0%} and {brightness}); replace the copy")


def read_pair(dataset: MaskDataset, pair: Pair) -> tuple[UInt8[np.ndarray, "3 h w"], Bool[np.ndarray, "h w"]]:
    """Decode one pair, reduced with a Lanczos filter and by areas; damage and other sizes are refused."""
    image, mask = _opened(dataset, pair.image), _opened(dataset, pair.mask)
    frames = getattr(mask, "n_frames", 1)
    if frames != 1:
        raise DataError(f"{dataset.name}: mask {pair.mask.name} has {frames} frames, needs one")
    if image.size != mask.size:
        own, other = (f"{picture.width} x {picture.height}" for picture in (image, mask))
        sizes = f"{pair.image.name} has {own} pixels, its mask {other}"
        raise DataError(f"{dataset.name}: {sizes}; both must be the same")
    with _blamed(dataset, pair.image):
        pixels = _reduced_image(image, dataset)
    with _blamed(dataset, pair.mask):
        return pixels, _reduced_mask(mask, dataset)


def _opened(dataset: MaskDataset, path: Path) -> Image:
    from PIL import Image

    with _blamed(dataset, path):
        return Image.open(io.BytesIO(path.read_bytes()))


@contextmanager
def _blamed(dataset: MaskDataset, path: Path) -> Iterator[None]:
    """Convert Pillow's errors and warnings on a file into one line that names the file."""
    from PIL.Image import DecompressionBombError, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            yield
    except (OSError, SyntaxError, Warning, DecompressionBombError) as error:
        text = (str(error).splitlines() or [type(error).__name__])[0]
        reason = "it is no image" if isinstance(error, UnidentifiedImageError) else text
        raise DataError(f"{dataset.name}: {path.name} is damaged or cut short: {reason}") from None


def _reduced_image(picture: Image, dataset: MaskDataset) -> UInt8[np.ndarray, "3 h w"]:
    from PIL.Image import Resampling

    target = (dataset.width, dataset.height)
    if picture.size != target:
        # a JPEG is decoded at half size if that leaves three pixels per side for each wanted one
        picture.draft("RGB", (3 * dataset.width, 3 * dataset.height))
        picture = picture.convert("RGB").resize(target, Resampling.LANCZOS)
    return np.asarray(picture.convert("RGB")).transpose(2, 0, 1)


def _reduced_mask(picture: Image, dataset: MaskDataset) -> Bool[np.ndarray, "h w"]:
    from PIL.Image import Resampling

    grey = picture.convert("L").point(lambda value: 255 * (value > 127))
    if grey.size != (dataset.width, dataset.height):
        grey = grey.resize((dataset.width, dataset.height), Resampling.BOX)
    return np.asarray(grey) >= HALF
