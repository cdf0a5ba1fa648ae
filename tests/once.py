"""Costly folders that all workers of a test run share: the first one makes them, each gets a copy."""

import os
import shutil

from filelock import FileLock


def make_once(base, name, make):
    """Return a worker's own copy of the folder that `make(path)` fills; `base` is its basetemp of pytest."""
    own = base / name
    if "PYTEST_XDIST_WORKER" not in os.environ:
        make(own)
        return own
    shared = base.parent / "once" / name
    shared.parent.mkdir(exist_ok=True, parents=True)
    with FileLock(f"{shared}.lock"):
        if not shared.is_dir():
            unfinished = shared.with_name(f"{name} unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            make(unfinished)
            unfinished.rename(shared)
    return shutil.copytree(shared, own, symlinks=True)
