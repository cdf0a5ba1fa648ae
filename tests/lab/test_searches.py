"""Recorded searches are found by their notebook's name, and a missing one is named."""

import json

import pytest

from ntkd_lib.lab import manifest, search


@pytest.fixture
def results(monkeypatch, tmp_path):
    monkeypatch.setattr(manifest, "results_root", lambda: tmp_path)
    search.read_search.cache_clear()
    yield tmp_path
    search.read_search.cache_clear()


def test_a_search_is_read_from_its_notebooks_file(results):
    (results / "searches").mkdir()
    known = {"trials": [{"rate": 0.1}]}
    (results / "searches" / "99_any.json").write_text(json.dumps(known), encoding="utf-8")
    assert search.read_search("99_any") == known


def test_a_missing_search_is_named(results):
    with pytest.raises(FileNotFoundError, match=r"results/searches/99_any\.json is missing; restore it"):
        search.read_search("99_any")


def test_the_best_trial_is_the_first_of_the_highest_mean_of_its_own_method():
    trials = [
        {"method": "a", "lr": 1, "validation": [1.0, 3.0]},
        {"method": "a", "lr": 2, "validation": [2.0, 4.0]},
        {"method": "a", "lr": 3, "validation": [3.0, 3.0]},
        {"method": "b", "lr": 4, "validation": [9.0]},
    ]
    assert search.mean_validation(trials[0]) == 2
    assert search.best_of(trials, "a")["lr"] == 2
    assert search.best_of(trials, "b")["lr"] == 4
