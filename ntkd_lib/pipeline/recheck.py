"""Derive a notebook's metrics from its stored records again, and compare them with what it published."""

import importlib
import importlib.util
from collections.abc import Iterator, Mapping

from ntkd_lib.pipeline.notebooks import plan_cells
from ntkd_lib.pipeline.seal import Seal, cell_keys
from ntkd_lib.pipeline.target import Target
from ntkd_lib.records.evidence import Metric, load_evidence
from ntkd_lib.records.layout import Layout, cell_root
from ntkd_lib.records.store import CellStore


def metric_problems(seal: Seal, layout: Layout, target: Target) -> Iterator[str]:
    """Compare published metrics with those that the summary makes of the records.

    Args:
        seal: of the run.
        layout: where its files lie.
        target: what was run.

    Yields:
        one line for each metric that differs; nothing where the experiment's summary has no `metrics(run)`.
    """
    path = layout.evidence(seal.notebook)
    published = load_evidence(path).metrics if path.exists() else {}
    derived = _derived(target, layout)
    for name in sorted({*published, *derived} if derived is not None else ()):
        if published.get(name) != derived.get(name):
            yield f"metric {name} is not what its records give"


def _derived(target: Target, layout: Layout) -> Mapping[str, Metric] | None:
    module = f"{target.notebook.experiment}.summary"
    if importlib.util.find_spec(module) is None:
        return None
    metrics = getattr(importlib.import_module(module), "metrics", None)
    return None if metrics is None else metrics(_stored_run(target, layout))


def _stored_run(target: Target, layout: Layout) -> object:
    from ntkd_lib.experiments.notebook import Run

    store = CellStore(cell_root())
    cells = plan_cells(target.notebook, target.parameters)
    keys = cell_keys(cells)
    records = {cell.name: store.load(keys[cell.name]) for cell in cells}
    return Run(target.name, target.parameters, records, {}, layout, {})
