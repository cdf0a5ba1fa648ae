"""The committed verdicts, and the table of those that moved."""

import json

import pytest

from ntkd_lib.lab.claims import load_claims
from ntkd_lib.pipeline import ledger
from ntkd_lib.pipeline.errors import PipelineError
from ntkd_lib.pipeline.ledger import moved_table, read_ledger
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


def test_the_page_on_deviations_has_a_mark_for_the_table():
    assert "<!-- ntkd:moved-verdicts -->" in (ROOT / "book/deviations.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("text", [None, "{"])
def test_verdicts_that_cannot_be_read_are_refused_in_one_line(tmp_path, monkeypatch, text):
    monkeypatch.setattr(ledger, "results_root", lambda: tmp_path)
    if text is not None:
        (tmp_path / "verdicts").mkdir()
        (tmp_path / "verdicts" / "first.json").write_text(text)
    with pytest.raises(PipelineError, match=r"^results/verdicts/first.json: cannot be read: "):
        read_ledger("first")


def test_verdicts_are_written_as_they_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(ledger, "results_root", lambda: tmp_path)
    monkeypatch.setattr(ledger, "recorded_verdicts", list)
    monkeypatch.setattr(ledger, "renew_manifest", lambda *_: None)
    ledger.write_ledger()
    assert read_ledger("recorded") == {}
    assert json.loads((tmp_path / "verdicts" / "recorded.json").read_text()) == {}
