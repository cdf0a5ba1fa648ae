"""Keep two runs of one notebook apart."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ntkd_lib.pipeline.errors import PipelineError


@contextmanager
def exclusive(path: Path, what: str = "") -> Iterator[None]:
    """Hold a lock file until the end, however the process ends; wait for it only if `what` has no name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _take(handle, what)
        yield
    finally:
        os.close(handle)


def _take(handle: int, what: str) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (fcntl.LOCK_NB if what else 0))
    except BlockingIOError as error:
        holder = os.pread(handle, 32, 0).decode("ascii", "replace").strip() or "?"
        raise PipelineError(f"{what} is already running (process {holder}); wait for it to end") from error
    os.ftruncate(handle, 0)
    os.pwrite(handle, f"{os.getpid()}\n".encode("ascii"), 0)
