"""Records as one tidy frame, and the statistics that every chapter takes of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import mean
from typing import TYPE_CHECKING

import numpy as np

from ntkd_lib.lab.cells import Cell, Record
from ntkd_lib.lab.evidence import Metric
from ntkd_lib.lab.statistics import interval_ends
from ntkd_lib.lab.work import Work

if TYPE_CHECKING:
    import pandas as pd


def frame(cells: Iterable[Cell], records: Mapping[str, Record], of: Work) -> pd.DataFrame:
    """List the cells of one work: labels, values, `seconds`, and `cell`, the key of the record."""
    import pandas as pd

    return pd.DataFrame([_row(cell, records[cell.name]) for cell in cells if cell.work == of.path])


def _row(cell: Cell, record: Record) -> dict[str, object]:
    twice = cell.labels.keys() & record.values.keys()
    if twice:
        raise ValueError(f"cell {cell.name}: {sorted(twice)[0]!r} is a label and a value; rename the value")
    return {**cell.labels, **record.values, "seconds": record.provenance["seconds"], "cell": record.key}


def unfold(table: pd.DataFrame, column: str, key: str | None = None) -> pd.DataFrame:
    """List the entries of a column, lists of rows or, if their `key` is named, mappings of rows."""
    import pandas as pd

    rows = []
    for row in table.to_dict("records"):
        entries = row.pop(column)
        listed = entries if key is None else [{key: name, **values} for name, values in entries.items()]
        rows += [{**row, **entry} for entry in listed]
    return pd.DataFrame(rows)


def entries(axes: Sequence[str], **arrays: np.ndarray) -> pd.DataFrame:
    """List the entries of arrays of one shape: their places on named axes, and a column per array."""
    import pandas as pd

    places = np.indices(next(iter(arrays.values())).shape).reshape(len(axes), -1)
    columns = {name: array.ravel() for name, array in arrays.items()}
    return pd.DataFrame(dict(zip(axes, places, strict=True)) | columns)


def summarise(table: pd.DataFrame, value: str, by: Sequence[str]) -> pd.DataFrame:
    """Average over seeds: mean, 95 % interval (Student's t), standard deviation and seeds per group."""
    import pandas as pd

    rows = [
        {**dict(zip(by, names, strict=True)), **_summary(part[value].dropna())}
        for names, part in table.groupby(list(by), sort=False, dropna=False)
    ]
    return pd.DataFrame(rows)


def _summary(values: pd.Series) -> dict[str, float]:
    low, high = interval_ends(list(values))
    std = values.std(ddof=1) if len(values) > 1 else np.nan
    return {"mean": values.mean(), "low": low, "high": high, "std": std, "seeds": len(values)}


def band(curves: Iterable[Sequence[float]], end: float) -> pd.DataFrame:
    """Average curves of equal length at even places up to an end: `at`, `mean`, `low` and `high`."""
    import pandas as pd

    values = np.array(list(curves))
    ends = {"mean": values.mean(0), "low": values.min(0), "high": values.max(0)}
    return pd.DataFrame({"at": np.linspace(0, end, values.shape[1] + 1)[1:], **ends})


def paired(
    table: pd.DataFrame,
    value: str,
    pairs: Sequence[tuple[str, str]],
    of: str = "method",
    within: Sequence[str] = (),
) -> pd.DataFrame:
    """Compare two arms seed by seed: a summary per pair (and group of `within`), `smallest` and `wins`."""
    import pandas as pd

    wide = table.pivot_table(index=[*within, "seed"], columns=of, values=value)
    gaps = [
        (wide[a] - wide[b]).dropna().rename("gap").reset_index().assign(greater=a, less=b)
        for a, b in pairs
        if {a, b} <= set(wide.columns)
    ]
    joint = pd.concat(gaps, ignore_index=True)
    by = [*within, "greater", "less"]
    grouped = joint.groupby(by, sort=False)["gap"]
    extra = grouped.agg(smallest="min", wins=lambda part: int((part > 0).sum())).reset_index()
    return summarise(joint, "gap", by).merge(extra, on=by)


def seed_rows(
    metrics: Mapping[str, Metric], names: Mapping[tuple[object, ...], str], columns: Sequence[str]
) -> pd.DataFrame:
    """List the values of metrics, those that are missing left out: labels of each, seed and value."""
    import pandas as pd

    rows = [
        (*labels, seed, value)
        for labels, name in names.items()
        if name in metrics
        for seed, value in zip(metrics[name].seeds, metrics[name].values, strict=True)
    ]
    return pd.DataFrame(rows, columns=list(columns))


def metric(table: pd.DataFrame, value: str) -> Metric:
    """Make a metric of one or more rows per seed: means, plateaus and data sets if any, cells."""
    seeds = table.groupby("seed", sort=False)
    plateaus = [bool(all(part)) for _, part in seeds["converged"]] if "converged" in table else None
    return Metric(
        seeds=[int(seed) for seed, _ in seeds],
        values=[float(mean(part)) for _, part in seeds[value]],
        converged=plateaus,
        data=sorted(set(table.get("data", ()))),
        cells=list(table["cell"]),
    )
