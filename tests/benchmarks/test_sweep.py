"""The recorded sweep holds the cases of the sweep, in its order, and only what the sweep accepts."""

import json
import re
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from benchmarks import sweep
from tests.ntk.sweep import loop
from tests.ntk.sweep.loop import ENTRIES, METHODS, Outcome
from tests.setup.project import ROOT

RECORD = json.loads((ROOT / "results/benchmarks/kernel_sweep.json").read_text(encoding="utf-8"))
ROWS = {row["name"]: row for part in RECORD["tables"] for row in part["rows"]}


def test_the_record_holds_every_case_of_the_sweep():
    recorded = [
        (part["name"], [(row["name"], row["cases"]) for row in part["rows"]]) for part in RECORD["tables"]
    ]
    tables = sweep.cases_by_row().items()
    assert recorded == [(name, [(row, len(cases)) for row, cases in rows.items()]) for name, rows in tables]
    assert not RECORD["provenance"]["dirty"]


def test_recorded_values_are_those_that_the_sweep_accepts():
    assert {tuple(row["methods"]) for row in ROWS.values()} == {tuple(sorted((*METHODS, *ENTRIES)))}
    for row in ROWS.values():
        for values in row["methods"].values():
            assert values["refusals"] or values["error"] is not None, row
            assert values["error"] is None or 0 <= values["error"] <= loop.TOLERANCE, row


@pytest.fixture(scope="module")
def process():
    """Start a process without checks of types, which compile each inner function anew at every call."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        yield pool


@pytest.mark.parametrize(
    "name", ["Linear", "Embedding", "BatchNorm2d", "positions looked up once", "dropout as a layer"]
)
def test_the_record_says_what_the_sweep_says_today(name, process):
    (table,) = [table for table, rows in sweep.cases_by_row().items() if name in rows]
    today, wrong = process.submit(sweep.run_row, table, name).result()
    assert wrong == []
    for method, values in today["methods"].items():
        recorded = ROWS[name]["methods"][method]
        assert (recorded["error"] is None) == (values["error"] is None), method
        assert recorded["slow"] == values["slow"], method
        assert recorded["refusals"] == values["refusals"], method


def test_a_summary_keeps_the_largest_error_and_each_refusal_once():
    words = "layer 'a.b': BatchNorm1d mixes samples"
    calls = [
        Outcome("products", "full", 1, 1e-12),
        Outcome("products", "full", 4, 1e-11, slow=True),
        *(Outcome("products", kind, 20, refusal=words) for kind in ("full", "trace")),
    ]
    assert sweep.summary(calls)["products"] == {
        "error": 1e-11,
        "slow": True,
        "refusals": ["BatchNorm1d mixes samples"],
    }
    assert sweep.summary(calls)["auto"] == {"error": None, "slow": False, "refusals": []}


def test_nothing_is_recorded_when_a_call_is_wrong(monkeypatch, tmp_path):
    case = next(iter(sweep.cases_by_row()["layers"].values()))[0]
    monkeypatch.setattr(sweep, "cases_by_row", lambda: {"layers": {"Linear": [case]}})
    monkeypatch.setattr(
        sweep, "run_case", lambda *_: [Outcome("auto", "full", 1, 0.5, fault="error 5.0e-01")]
    )
    with pytest.raises(SystemExit, match=re.escape("Linear: auto, full, n = 1: error 5.0e-01")):
        sweep.main(["--json", str(tmp_path / "record.json")])
    assert not (tmp_path / "record.json").exists()
