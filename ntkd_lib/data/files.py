"""Check, read and unpack files of data sets, and trust none: idx files, CIFAR batches, pickles, archives."""

import gzip
import io
import math
import pickle
import posixpath
import re
import tarfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from ntkd_lib.data.catalogue import Content, OfficialDataset
from ntkd_lib.data.settings import DataError
from ntkd_lib.lab.digest import sha256_file

_RECONSTRUCT = np.empty(0).__reduce__()[0]
_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}
# what Python 2 wrote: a dictionary of title, labels from 0 to 9, one array (rows, 3072) of bytes, file names
_BATCH = re.compile(
    rb"\x80\x02}q\x01\(U\x0bbatch_labelq\x02U.[ -~]{0,255}q\x03U\x06labelsq\x04]q\x05"
    rb"(?P<labels>(?:\((?:K[\0-\x09]){1,1000}e)+)U\x04dataq\x06"
    rb"cnumpy\.core\.multiarray\n_reconstruct\nq\x07cnumpy\nndarray\nq\x08K\0\x85U\x01b\x87Rq\x09"
    rb"\(K\x01(?P<rows>K.|M..)M\0\x0c\x86cnumpy\ndtype\nq\x0aU\x02u1K\0K\x01\x87Rq\x0b\(K\x03U\x01\|NNN"
    rb"J\xff{4}J\xff{4}K\0tb\x89T(?P<size>.{4})",
    re.DOTALL,
)
_NAMES, _END = b"tbU\x09filenamesq\x0c]q\x0d(", b"eu."  # nothing of what lies between is read
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
    missing, damaged = [], []
    try:
        for content in dataset.contents:
            forms = _forms(folder, content)
            if not forms:
                missing.append(content.name)
            elif not any(file_hash(path) == sha256 for path, sha256 in forms):
                damaged.append(forms[0][0])
    except OSError as error:
        place = error.filename or folder
        raise DataError(f"{dataset.name}: {place} cannot be read ({error.strerror})") from None
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


def parse_idx(data: UInt8[np.ndarray, " size"], name: str) -> UInt8[np.ndarray, "..."]:
    """Decode an idx file of unsigned bytes, of rank 1 (labels) or 3 (images).

    The header is `0, 0, 8, rank` and `rank` big-endian 32-bit sizes.
    """
    rank = int(data[3]) if data.size >= 4 else 0
    start = 4 + 4 * rank
    if rank not in (1, 3) or data[:3].tolist() != [0, 0, 8] or data.size < start:
        raise DataError(f"{name} is not an idx file of unsigned bytes")
    shape = [int(size) for size in np.frombuffer(data[4:start].tobytes(), ">u4")]
    if data.size - start != math.prod(shape):
        raise DataError(f"{name} holds {data.size - start} values, its header says {math.prod(shape)}")
    return data[start:].reshape(shape)


class _ArrayUnpickler(pickle.Unpickler):
    """Rebuild plain containers and NumPy arrays, and refuse everything else."""

    def find_class(self, module_name: str, global_name: str) -> Any:
        if (module_name, global_name) not in _ALLOWED:
            raise DataError(f"it asks for {module_name}.{global_name}; only NumPy arrays are allowed")
        return _ALLOWED[module_name, global_name]


def unpickle_arrays(data: bytes, name: str) -> Any:
    """Rebuild plain containers of NumPy arrays; check the hash of the bytes before."""
    try:
        return _ArrayUnpickler(io.BytesIO(data), encoding="latin1").load()
    except Exception as error:  # a broken pickle can raise anything
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{name} cannot be unpickled: {reason}") from None


def parse_batch(data: bytes, name: str) -> tuple[UInt8[np.ndarray, "n 3 32 32"], UInt8[np.ndarray, " n"]]:
    """Decode one CIFAR-10 batch, in the official files' very sequence of opcodes; no pickle is loaded."""
    head = _BATCH.match(data)
    size = int.from_bytes(head["size"], "little") if head else 0
    end = head.end() + size if head else 0
    if head is None or not (data.startswith(_NAMES, end) and data.endswith(_END)):
        raise DataError(f"{name} is not a CIFAR batch: its pickle is built otherwise than the official ones")
    codes = np.frombuffer(head["labels"], np.uint8)
    labels, rows = codes[codes < 10], int.from_bytes(head["rows"][1:], "little")
    if not len(labels) == rows == size / 3072:
        raise DataError(f"{name} is not a CIFAR batch: {rows} rows, {len(labels)} labels, {size:,} bytes")
    return np.frombuffer(bytearray(data[head.end() : end]), np.uint8).reshape(-1, 3, 32, 32), labels


def unpack_gzip(packed: Path, target: Path, limit: int) -> None:
    """Unpack one gzip file of at most `limit` bytes."""
    try:
        with gzip.open(packed) as source:
            data = source.read(limit + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{packed.name} cannot be unpacked: {error}") from None
    if not data:
        raise DataError(f"{packed.name} cannot be unpacked: it is empty")
    if len(data) > limit:
        raise DataError(f"{packed.name} holds more than {limit:,} bytes")
    target.write_bytes(data)


def unpack_tar(archive: Path, into: Path, limit: int) -> None:
    """Unpack a tar file, only if every member is a plain file or folder inside `into`."""
    if not hasattr(tarfile, "data_filter"):
        raise DataError("archives are unpacked by Python 3.11.4 or newer only: update Python")
    try:
        with tarfile.open(archive) as tar:
            _refuse_hostile(tar, archive.name, limit)  # header by header: nothing too large is ever read
            tar.fileobj.read(tarfile.RECORDSIZE)  # padding; the checksum at its end is compared
            # the filter alone would quietly rewrite absolute names
            tar.extractall(into, filter="data")
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise DataError(f"{archive.name} cannot be unpacked: {error}") from None


def _refuse_hostile(members: Iterable[tarfile.TarInfo], name: str, limit: int) -> None:
    total = 0
    for member in members:
        path = member.name.replace("\\", "/")
        if posixpath.isabs(path) or ":" in path or ".." in path.split("/"):
            raise DataError(f"{name} is refused: member {member.name!r} points outside")
        if not (member.isfile() or member.isdir()):
            raise DataError(f"{name} is refused: member {member.name!r} is neither file nor folder")
        total += max(member.size, tarfile.BLOCKSIZE)
        if total > limit:
            raise DataError(f"{name} is refused: it holds {total:,} bytes or more, {limit:,} are allowed")
