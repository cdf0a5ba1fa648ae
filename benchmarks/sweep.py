"""Results of each method on every layer and on many small networks: ``python -m benchmarks.sweep``.

The cases and the loop of single samples that they are compared with are those of ``tests/ntk/sweep``.
"""

import argparse
import re
import time
from collections.abc import Iterable
from math import isnan
from pathlib import Path
from typing import Any

from joblib import Parallel, delayed

from ntkd_lib.lab.atomic import write_json
from ntkd_lib.lab.layout import results_root
from ntkd_lib.lab.manifest import renew_manifest
from ntkd_lib.lab.provenance import snapshot
from tests.ntk.sweep import architectures, layers
from tests.ntk.sweep.loop import ALL_CALLS, ENTRIES, METHODS, Case, Outcome, faults, run_case

SUBJECT = re.compile(r"^[a-z0-9_]+(?: '[^']*')?: ")


def cases_by_row() -> dict[str, dict[str, list[Case]]]:
    """Sort the cases of the sweep into the rows of its tables.

    Returns:
        Cases by table and row: the settings of a layer share a row, a network has its own.
    """
    kinds: dict[str, list[Case]] = {}
    for case in layers.CASES:
        kinds.setdefault(case.name.rsplit(" ", 1)[0], []).append(case)
    return {
        "layers": kinds,
        **{group: {case.name: [case] for case in cases} for group, cases in architectures.GROUPS.items()},
    }


def summary(outcomes: Iterable[Outcome]) -> dict[str, dict[str, Any]]:
    """Summarise the calls of one row.

    Returns:
        By method: ``error``, the largest, None without a value; ``slow``, whether the library warned of a
        slower way; ``refusals``, their words without the name of the layer.
    """
    by_method: dict[str, list[Outcome]] = {method: [] for method in (*METHODS, *ENTRIES)}
    for outcome in outcomes:
        by_method[outcome.method].append(outcome)
    return {method: _summary(calls) for method, calls in by_method.items()}


def _summary(calls: list[Outcome]) -> dict[str, Any]:
    errors = [call.error for call in calls if not isnan(call.error)]
    return {
        "error": max(errors, default=None),
        "slow": any(call.slow for call in calls),
        "refusals": sorted({SUBJECT.sub("", call.refusal) for call in calls if call.refusal}),
    }


def main(words: list[str] | None = None) -> None:
    """Run the sweep, print its rows and, if a file is named, write a record.

    Raises:
        SystemExit: Calls that returned a wrong kernel or crashed, by row.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sweep", description=__doc__)
    parser.add_argument("--json", type=Path, help="file for the record")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    chosen = parser.parse_args(words)
    start, tables, wrong = time.perf_counter(), [], []
    run = Parallel(n_jobs=chosen.jobs, return_as="generator")
    for name, rows in cases_by_row().items():
        tables.append({"name": name, "rows": []})
        for row, faulty in run(delayed(run_row)(name, row) for row in rows):
            tables[-1]["rows"].append(row)
            wrong += faulty
            print(row["name"], *(_line(*item) for item in row["methods"].items()), sep="\n  ", flush=True)
    if wrong:
        raise SystemExit("\n".join([*wrong, f"{len(wrong)} calls are wrong, nothing is recorded"]))
    if chosen.json:
        state = {**snapshot(), "seconds": round(time.perf_counter() - start, 1)}
        write_json(chosen.json, {"tables": tables, "provenance": state})
        if results_root() in chosen.json.absolute().parents:
            renew_manifest(chosen.json)


def run_row(table: str, name: str) -> tuple[dict[str, Any], list[str]]:
    """Run every call on the cases of one row.

    Returns:
        The row as it is recorded, and what is wrong with it.
    """
    cases = cases_by_row()[table][name]
    outcomes = [outcome for case in cases for outcome in run_case(case, ALL_CALLS)]
    wrong = [f"{name}: {fault}" for fault in faults(outcomes)]
    return {"name": name, "cases": len(cases), "methods": summary(outcomes)}, wrong


def _line(method: str, values: dict[str, Any]) -> str:
    error = "no value" if values["error"] is None else f"error {values['error']:.0e}"
    return "; ".join([f"{method}: {error}", *["slow way"] * values["slow"], *values["refusals"]])


if __name__ == "__main__":
    main()
