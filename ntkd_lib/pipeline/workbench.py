"""A folder to work in, and its lock: no earlier result is touched until the new one is complete."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from ntkd_lib.lab.layout import Layout, build_root, cell_root
from ntkd_lib.pipeline.errors import PipelineError
from ntkd_lib.pipeline.notebooks import Target


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


@dataclass(frozen=True)
class Workbench:
    """A private build folder for one run of one notebook."""

    folder: Path  # holds everything; on the same file system as the result
    build: Path  # what `NTKD_BUILD` is while the notebook runs
    layout: Layout  # as `Target.layout`, but inside `build`


def stage_folder(target: Target) -> Path:
    """Name the folder in which a target is worked on."""
    return build_root() / "stage" / f"{target.layout.base.name}-{target.name}"


@contextmanager
def workbench(target: Target) -> Iterator[Workbench]:
    """Make an empty private build folder with the real cell store; what a failed run leaves stays there."""
    folder = stage_folder(target)
    shutil.rmtree(folder, ignore_errors=True)
    build = folder / "build"
    layout = Layout(build / target.layout.base.relative_to(build_root()))
    layout.executed(target.name).parent.mkdir(parents=True)
    cell_root().mkdir(parents=True, exist_ok=True)
    (build / "cells").symlink_to(cell_root(), target_is_directory=True)
    if target.notebook.is_summary:  # it reads the evidence of the others
        place = layout.evidence(target.name).parent
        place.mkdir(parents=True, exist_ok=True)
        for other in other_evidence(target):
            (place / other.name).symlink_to(other)
    yield Workbench(folder, build, layout)
    shutil.rmtree(folder, ignore_errors=True)


def other_evidence(target: Target) -> list[Path]:
    """List the evidence files of the other notebooks on the same tier."""
    mine = target.layout.evidence(target.name)
    return sorted(path for path in mine.parent.glob("*.json") if path != mine)


def publish(bench: Workbench, target: Target) -> None:
    """Move a complete result into place; the seal comes last, and never speaks of what is not there."""
    name = target.name
    _replace_folder(bench.layout.figures(name), target.layout.figures(name), bench.folder / "earlier-figures")
    _replace_file(bench.layout.evidence(name), target.layout.evidence(name))
    for place in (Layout.converted, Layout.executed, Layout.seal):
        _replace_file(place(bench.layout, name), place(target.layout, name))


def _replace_file(made: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    if made.exists():
        made.replace(place)
    else:
        place.unlink(missing_ok=True)


def _replace_folder(made: Path, place: Path, earlier: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.exists():
        place.replace(earlier)
    if made.exists():
        made.replace(place)
