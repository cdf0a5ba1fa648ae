"""Recorded searches are found by their notebook's name, and a missing one is named."""

import json

import pytest

from ntkd_lib.records import searches


@pytest.fixture
def results(monkeypatch, tmp_path):
    monkeypatch.setattr(searches, "results_root", lambda: tmp_path)
    searches.read_search.cache_clear()
    yield tmp_path
    searches.read_search.cache_clear()


def test_a_search_is_read_from_its_notebooks_file(results):
    (results / "searches").mkdir()
    known = {"trials": [{"rate": 0.1}]}
    (results / "searches" / "99_any.json").write_text(json.dumps(known), encoding="utf-8")
    assert searches.read_search("99_any") == known


def test_a_missing_search_is_named(results):
    with pytest.raises(FileNotFoundError, match=r"results/searches/99_any\.json is missing; restore it"):
        searches.read_search("99_any")
