"""Keep two runs of one notebook apart."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from ntkd_lib.pipeline.errors import PipelineError


@contextmanager
def exclusive(path: Path, what: str = "") -> Iterator[None]:
    """Hold a lock file until the end, however the process ends; wait for it only if `what` has no name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    note = path.with_suffix(".pid")
    try:
        with FileLock(path, timeout=0 if what else -1):
            note.write_text(str(os.getpid()), encoding="ascii")
            yield
    except Timeout as error:
        holder = note.read_text(encoding="ascii") if note.is_file() else "?"
        raise PipelineError(f"{what} is already running (process {holder}); wait for it to end") from error
