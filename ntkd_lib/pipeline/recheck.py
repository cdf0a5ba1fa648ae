"""Derive a notebook's metrics from its stored records again, and compare them with what it published."""

import importlib
import importlib.util
from collections.abc import Callable, Iterator, Mapping

from ntkd_lib.lab.evidence import Metric, load_evidence
from ntkd_lib.lab.layout import Layout, cell_root
from ntkd_lib.lab.store import CellStore
from ntkd_lib.lab.worker import one_thread, torch_on_one_thread
from ntkd_lib.pipeline.notebooks import plan_cells
from ntkd_lib.pipeline.seal import Seal, cell_keys
from ntkd_lib.pipeline.target import Target


def metric_problems(seal: Seal, layout: Layout, target: Target) -> Iterator[str]:
    """Compare published metrics with those that the summary makes of the records."""
    path = layout.evidence(seal.notebook)
    published = load_evidence(path).metrics if path.exists() else {}
    derive = metrics_of(target.notebook.chapter)
    if derive is None:
        if published:
            yield f"metrics cannot be derived again: {target.notebook.chapter} has no metrics(run)"
        return
    with one_thread(), torch_on_one_thread():  # as in the notebook's own process
        derived = derive(_stored_run(target, layout))
    for name in sorted({*published, *derived}):
        if published.get(name) != derived.get(name):
            yield f"metric {name} is not what its records give"


def metrics_of(chapter: str) -> Callable[[object], Mapping[str, Metric]] | None:
    """Find the function that makes a chapter's metrics of a run."""
    for name in ("page", "metrics", "summary"):
        module = f"{chapter}.{name}"
        if importlib.util.find_spec(module) is not None:
            derive = getattr(importlib.import_module(module), "metrics", None)
            if derive is not None:
                return derive
    return None


def _stored_run(target: Target, layout: Layout) -> object:
    from ntkd_lib.chapters.run import Run

    store = CellStore(cell_root())
    cells = plan_cells(target.notebook, target.parameters)
    keys = cell_keys(cells)
    records = {cell.name: store.load(keys[cell.name]) for cell in cells}
    return Run(target.name, target.parameters, records, {}, layout, {}, tuple(cells))
