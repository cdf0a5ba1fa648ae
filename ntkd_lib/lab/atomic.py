"""Write files so that a reader sees the old bytes or the new ones, never a mixture."""

import contextlib
import json
import os
import secrets
from pathlib import Path


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Write `data` through a synced temporary file in the same folder; parent folders are made."""
    target = Path(os.path.realpath(path))  # what a symbolic link names is replaced, not the link
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = target.parent / f".{secrets.token_hex(8)}.tmp"
    try:
        _write_synced(scratch, data)
        scratch.replace(target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            scratch.unlink()
        raise
    sync_folder(target.parent)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write `text` as UTF-8, atomically."""
    write_bytes(path, text.encode("utf-8"))


def json_text(value: object) -> str:
    """Write `value` as JSON with sorted keys, an item a line and a final newline; refuse NaN, infinities."""
    return json.dumps(value, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n"


def write_json(path: str | os.PathLike[str], value: object) -> None:
    """Write `value` as JSON, atomically; what is refused is refused before anything is written."""
    write_text(path, json_text(value))


def sync_folder(folder: Path) -> None:
    """Ask the system to put a folder's entries on disk, where it can."""
    with contextlib.suppress(OSError):  # some file systems cannot open or sync a folder
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _write_synced(path: Path, data: bytes) -> None:
    with path.open("xb") as handle:
        handle.write(data)
        handle.flush()
        os.fsync(handle.fileno())
