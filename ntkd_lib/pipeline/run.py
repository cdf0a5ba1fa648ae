"""Run one notebook: validate, compute its cells, execute it aside, check it, seal it, move it into place."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from ntkd_lib.lab import CellStore, cell_root, keep_freed_memory, run_cells, write_json, write_text
from ntkd_lib.lab.evidence import load_evidence
from ntkd_lib.lab.parameter_text import and_more
from ntkd_lib.pipeline import seal
from ntkd_lib.pipeline.errors import PipelineError
from ntkd_lib.pipeline.kernel import cell_seconds, execute, kernel_environment
from ntkd_lib.pipeline.notebooks import Target, notebook_text, read_percent
from ntkd_lib.pipeline.scrub import machine_places, page_problems, scrub
from ntkd_lib.pipeline.workbench import Workbench, exclusive, publish, stage_folder, workbench

Say = Callable[[str], None]


def run_target(
    target: Target,
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    force: bool = False,
    say: Say = print,
) -> Path:
    """Bring one notebook's result up to date; does nothing if its seal is valid."""
    if prepare(target, workers, scheduler, force=force, say=say):
        make_page(target)
        say(f"{target.name}: done and sealed")
    return target.layout.executed(target.name)


def prepare(target: Target, workers: int | None, scheduler: str | None, *, force: bool, say: Say) -> bool:
    """Compute the cells of a notebook unless its seal is valid; say whether it is to be executed."""
    cell_seconds()  # a wrong limit is refused before any work
    with _alone(target):
        if not force and not seal.check_seal(target.layout, target.name):
            say(f"{target.name}: up to date")
            return False
        keep_freed_memory()
        if cells := target.cells:
            run_cells(cells, CellStore(cell_root()), workers=workers, scheduler=scheduler)
    say(f"{target.name}: executing the notebook")
    return True


def make_page(target: Target) -> None:
    """Execute a notebook whose cells are in the store, and seal what it leaves."""
    made_from = seal.origin(target, fresh=False)  # as this process saw and loaded it first
    seal.require_same(made_from, target)
    with _alone(target), workbench(target) as bench:
        _execute(target, bench)
        seal.require_same(made_from, target)
        _finish(target, bench, made_from)
        publish(bench, target)
        digest = seal.read_seal(target.layout.seal(target.name)).digest
        write_text(seal.entry_file(target.layout, target.name), digest)


def _alone(target: Target) -> AbstractContextManager[None]:
    return exclusive(stage_folder(target).with_suffix(".lock"), f"{target.name} ({target.layout.base.name})")


def _execute(target: Target, bench: Workbench) -> None:
    converted = bench.layout.converted(target.name)
    write_text(converted, notebook_text(read_percent(target.notebook.path)))
    with kernel_environment(bench.folder / "home", bench.build):
        execute(target.name, converted, _raw(target, bench), target.injected)


def _raw(target: Target, bench: Workbench) -> Path:
    return bench.folder / f"{target.name}.ipynb"


def _scrubbed(target: Target, bench: Workbench) -> Any:
    import nbformat

    return scrub(nbformat.read(_raw(target, bench), as_version=4), machine_places(bench.build))


def again(target: Target) -> Iterator[str]:
    """Execute a sealed notebook again from the stored records, and list what comes out otherwise."""
    with _alone(target), workbench(target) as bench:
        _execute(target, bench)
        write_text(bench.layout.executed(target.name), notebook_text(_scrubbed(target, bench)))
        yield from seal.page_differences(target.layout, bench.layout, target.name)


def _finish(target: Target, bench: Workbench, made_from: Mapping[str, Any]) -> None:
    """Scrub, check and seal what the kernel left on the bench."""
    notebook = _scrubbed(target, bench)
    if faults := page_problems(notebook, target.values):
        raise PipelineError(f"{target.name}: {faults[0]}{and_more(faults)} (see {_raw(target, bench)})")
    _require_evidence(target, bench)
    write_text(bench.layout.executed(target.name), notebook_text(notebook))
    write_json(bench.layout.seal(target.name), seal.make_seal(target, bench.layout, made_from))


def _require_evidence(target: Target, bench: Workbench) -> None:
    path = bench.layout.evidence(target.name)
    if not path.is_file():
        if target.notebook.is_summary:
            return
        why = "no run.publish, or they changed"
        raise PipelineError(f"{target.name}: it published no evidence for its parameters ({why})")
    ran_with = load_evidence(path).parameters
    if ran_with != target.values:
        name = next(k for k in {**ran_with, **target.values} if ran_with.get(k) != target.values.get(k))
        raise PipelineError(f"{target.name}: it ran with {name} = {ran_with.get(name)!r}, not as asked")
