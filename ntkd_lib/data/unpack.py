"""Unpack official files, archives with every member checked before anything is written."""

import gzip
import posixpath
import tarfile
import zlib
from collections.abc import Iterable
from pathlib import Path

from ntkd_lib.data.settings import DataError


def unpack_gzip(packed: Path, target: Path, limit: int) -> None:
    """Unpack one gzip file of at most `limit` bytes."""
    try:
        with gzip.open(packed) as source:
            data = source.read(limit + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{packed.name} cannot be unpacked: {error}") from None
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
