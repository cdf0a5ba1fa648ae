"""List the data sets: official files with their hashes, classes, licences."""

import difflib
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from ntkd_lib.data.mask_pairs import MaskDataset
from ntkd_lib.data.pictures import PictureDataset
from ntkd_lib.data.settings import check_known
from ntkd_lib.lab.digest import digest_json


@dataclass(frozen=True)
class Download:
    """One official file."""

    name: str
    size: int
    md5: str  # that the publishers or torchvision publish
    sha256: str
    urls: tuple[str, ...]  # where it is published, in the order of trying


@dataclass(frozen=True)
class Content:
    """One file that is read: an idx file or a CIFAR batch."""

    name: str  # inside the folder of the data set
    sha256: str  # of the unpacked file
    split: Literal["train", "test", ""] = ""  # none for files without images
    packed: Download | None = None  # the gzip form that may lie there instead


@dataclass(frozen=True)
class OfficialDataset:
    """A real data set."""

    name: str
    folder: str  # where loaders expect it below a data root
    layout: Literal["idx", "cifar", "files"]  # MNIST's, pickled batches, or single signals
    downloads: tuple[Download, ...]  # none if the user must bring the data
    contents: tuple[Content, ...]  # training images before training labels
    classes: tuple[str, ...]  # names of the labels 0, 1, …
    licence: str

    @cached_property
    def sha256(self) -> str:
        """Hash the pins of all contents, independent of how the files are packed."""
        return digest_json({content.name: content.sha256 for content in self.contents})

    @property
    def size(self) -> int:
        """Add up the bytes to download."""
        return sum(download.size for download in self.downloads)


@dataclass(frozen=True)
class EmbeddedDataset:
    """A small real data set that an installed package ships."""

    name: str
    package: str
    file: str
    side: int
    peak: int  # the largest pixel value in the file
    sha256: str  # of the images and labels that we know
    classes: tuple[str, ...]
    licence: str


def _official(urls: Sequence[str] = (), **entry: Any) -> OfficialDataset:
    files = [Download(**row, urls=tuple(u + row["name"] for u in urls)) for row in entry.pop("downloads", [])]
    packed = {file.name.removesuffix(".gz"): file for file in files}
    contents = tuple(Content(**row, packed=packed.get(row["name"])) for row in entry.pop("contents"))
    return OfficialDataset(**entry, downloads=tuple(files), contents=contents)


Dataset = OfficialDataset | EmbeddedDataset | PictureDataset | MaskDataset

_KINDS: dict[str, Callable[..., Any]] = {
    "official": _official,
    "weights": _official,
    "masks": MaskDataset,
    "pictures": PictureDataset,
    "embedded": EmbeddedDataset,
}


def _entries() -> Iterator[tuple[str, Any]]:
    """Read ``datasets.toml``, which holds every size, hash, address, class and licence."""
    text = Path(__file__).with_name("datasets.toml").read_text("utf-8")
    for entry in tomllib.loads(text)["data"]:
        kind, classes = entry.pop("kind"), tuple(entry.pop("classes", ()))
        yield kind, _KINDS[kind](**entry, classes=classes)


_ENTRIES = tuple(_entries())
DATASETS: dict[str, Dataset] = {entry.name: entry for kind, entry in _ENTRIES if kind != "weights"}
WEIGHTS: dict[str, OfficialDataset] = {entry.name: entry for kind, entry in _ENTRIES if kind == "weights"}
CARVANA: MaskDataset = next(entry for _, entry in _ENTRIES if entry.name == "carvana")


def find_dataset(name: str) -> Dataset:
    """Find the entry of a data set, such as `mnist`."""
    near = difflib.get_close_matches(name.lower().replace("_", "-"), DATASETS, n=1, cutoff=0.4)
    check_known("data set", name, DATASETS, f"; nearest: {near[0]}" if near else "")
    return DATASETS[name]
