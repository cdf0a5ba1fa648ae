"""Check and read the files of a data set that lies in a folder."""

import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from ntkd_lib.data.catalogue import Content, OfficialDataset
from ntkd_lib.data.settings import DataError
from ntkd_lib.lab.digest import sha256_file

_HASHES: dict[tuple[str, int, int], str] = {}


@dataclass(frozen=True)
class FolderState:
    """State of the files of a data set."""

    missing: tuple[str, ...]  # names of files that are not there in any form
    damaged: tuple[Path, ...]  # files whose hash is wrong, if no other form is right

    @property
    def complete(self) -> bool:
        """Check that every file is present and right."""
        return not self.missing and not self.damaged


def file_hash(path: Path) -> str:
    """Hash a file once per size and time of change."""
    stat = path.stat()
    key = (str(path), stat.st_size, stat.st_mtime_ns)
    if key not in _HASHES:
        _HASHES[key] = sha256_file(path)
    return _HASHES[key]


def _forms(folder: Path, content: Content) -> list[tuple[Path, str]]:
    forms = [(folder / content.name, content.sha256)]
    if content.packed:
        forms.append((folder / content.packed.name, content.packed.sha256))
    return [(path, sha256) for path, sha256 in forms if path.is_file()]


def check_folder(dataset: OfficialDataset, folder: Path) -> FolderState:
    """Compare the files of a folder with their pins."""
    try:
        return _check_contents(dataset, folder)
    except OSError as error:
        raise DataError(
            f"{dataset.name}: {error.filename or folder} cannot be read ({error.strerror})"
        ) from None


def _check_contents(dataset: OfficialDataset, folder: Path) -> FolderState:
    missing, damaged = [], []
    for content in dataset.contents:
        forms = _forms(folder, content)
        if not forms:
            missing.append(content.name)
        elif not any(file_hash(path) == sha256 for path, sha256 in forms):
            damaged.append(forms[0][0])
    return FolderState(tuple(missing), tuple(damaged))


def read_content(folder: Path, content: Content) -> UInt8[np.ndarray, " size"]:
    """Read one file whose hash is right, unpacked or as gzip."""
    for path, sha256 in _forms(folder, content):
        if file_hash(path) == sha256:
            return _read(path)
    raise DataError(f"{folder / content.name} is missing or damaged; delete it and run again")


def _read(path: Path) -> UInt8[np.ndarray, " size"]:
    if path.suffix == ".gz":
        return np.frombuffer(bytearray(gzip.decompress(path.read_bytes())), np.uint8)
    return np.fromfile(path, np.uint8)
