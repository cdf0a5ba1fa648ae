"""The committed verdicts, and the table of those that moved."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from ntkd_lib.lab import manifest
from ntkd_lib.lab.claims import load_claims
from ntkd_lib.lab.evidence import DataState
from ntkd_lib.pipeline import ledger
from ntkd_lib.pipeline.errors import PipelineError
from ntkd_lib.pipeline.ledger import moved_table, pair_numbers, read_ledger
from ntkd_lib.pipeline.pages import pairs_box
from tests.lab.judging import metric, run
from tests.setup.project import ROOT

FIRST = {"exceeded": 14, "reproduced": 21, "not reproduced": 27, "undecided": 0, "not assessed": 30}


def count(rows):
    return {status: [row["status"] for row in rows.values()].count(status) for status in FIRST}


def test_the_first_round_had_these_verdicts():
    first = read_ledger("first")
    assert first.keys() == {claim.id for claim in load_claims().claims if claim.registered is None}
    assert count(first) == FIRST


def test_every_claim_has_a_committed_verdict_and_each_verdict_a_number():
    rows = read_ledger("recorded")
    assert list(rows) == sorted(claim.id for claim in load_claims().claims)
    assert all(("value" in row) == (row["status"] != "not assessed") for row in rows.values())


def test_the_table_names_what_moved_why_and_the_sentence_of_the_contract():
    table = moved_table()
    first, now = read_ledger("first"), read_ledger("recorded")
    moved = [name for name in first if first[name]["status"] != now[name]["status"]]
    assert table.count("<tr") == len(moved) + 1
    assert all(f"<code>{name}</code>" in table for name in moved)
    assert "matched_drop is 8.1, allowed: 41.8" in table
    assert "As on MNIST, 41.8 points on Carvana." in table


def test_live_numbers_stand_beside_the_recorded_ones_and_those_outside_its_interval_first(monkeypatch):
    values = {"ntkd.a": (10, 12), "ntkd.b": (10, 12), "ntkd.all": (3,), "ntkd.all_b": (1,)}
    again = {"ntkd.a": (11, 12), "ntkd.b": (30, 32), "ntkd.all": (3.5,), "ntkd.all_b": (1.00001,)}
    recorded = run({name: metric(*numbers) for name, numbers in values.items()}, recorded=True)
    live = run({name: metric(*numbers) for name, numbers in again.items()})
    monkeypatch.setattr(ledger, "reference_evidence", lambda: [recorded])
    monkeypatch.setattr(ledger, "collect_evidence", lambda _: [live, recorded])
    pairs = pair_numbers(live)
    assert [pair.name for pair in pairs] == ["ntkd.all", "ntkd.b", "ntkd.a", "ntkd.all_b"]
    assert pairs[1] == ("ntkd.b", "11 [\N{MINUS SIGN}1.706, 23.71]", "31", "+20", "outside")
    assert [pair.moved for pair in pairs] == ["differs", "outside", "", ""]
    assert ledger._moved_lines("cpu") == [
        "live: 1 of 4 numbers lie outside the recorded 95 % intervals; 1 without an interval differ",
        "  01 ntkd.all: recorded 3, here 3.5, difference +0.5",
        "  01 ntkd.b: recorded 11 [\N{MINUS SIGN}1.706, 23.71], here 31, difference +20",
    ]
    words = "1 of 4 numbers lie outside the recorded 95 % intervals; 1 without an interval differ"
    assert f"{words}</summary>" in pairs_box(pairs)
    assert ledger.moved_words(pairs[1:]) == "1 of 3 numbers lie outside the recorded 95 % intervals"


@pytest.mark.parametrize("change", [{"parameters": {"epochs": 4}}, {"recorded": True}, {"data": {}}])
def test_numbers_of_other_parameters_or_data_are_not_compared(monkeypatch, change):
    recorded = run({"ntkd.a": metric(10, 12, data=["mnist"])}, recorded=True)
    monkeypatch.setattr(ledger, "reference_evidence", lambda: [recorded])
    standin = {"data": {"mnist": DataState(kind="standin", sha256="1" * 64, source="embedded")}}
    assert pair_numbers(run(recorded.metrics, **(change if change != {"data": {}} else standin))) == []


def test_the_page_on_deviations_has_a_mark_for_the_table():
    assert "<!-- ntkd:moved-verdicts -->" in (ROOT / "book/deviations.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("text", [None, "{"])
def test_verdicts_that_cannot_be_read_are_refused_in_one_line(tmp_path, monkeypatch, text):
    for module in (ledger, manifest):
        monkeypatch.setattr(module, "results_root", lambda: tmp_path)
    if text is not None:
        (tmp_path / "verdicts").mkdir()
        (tmp_path / "verdicts" / "first.json").write_text(text)
    with pytest.raises(PipelineError, match=r"^results/verdicts/first.json: cannot be read: "):
        read_ledger("first")


def test_verdicts_are_written_as_they_are_read(tmp_path, monkeypatch):
    for module in (ledger, manifest):
        monkeypatch.setattr(module, "results_root", lambda: tmp_path)
    monkeypatch.setattr(ledger, "recorded_verdicts", list)
    monkeypatch.setattr(manifest, "renew_manifest", lambda *_: None)
    ledger.write_ledger()
    assert read_ledger("recorded") == {}
    assert json.loads((tmp_path / "verdicts" / "recorded.json").read_text()) == {}


def test_damaged_evidence_is_named_in_one_line(tmp_path):
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "01_x.json").write_text("{")
    shutil.copyfile(ROOT / "claims.yml", tmp_path / "claims.yml")
    own = {**os.environ, "NTKD_ROOT": str(tmp_path), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, *ledger.WRITE.split()[1:]]
    done = subprocess.run(command, env=own, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("ntkd: results/01_x.json: is not JSON: ")
    assert done.stderr.count("\n") == 1
