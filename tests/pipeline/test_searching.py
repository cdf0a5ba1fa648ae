"""The command `ntkd search`: what is refused, and what is recorded."""

import json
import sys
from types import SimpleNamespace

import pytest

from ntkd_lib.lab.cells import CellResult
from ntkd_lib.lab.search import Search, SearchedMethod, run_trials
from ntkd_lib.lab.work import Data, work
from ntkd_lib.pipeline import recording
from ntkd_lib.pipeline.errors import PipelineError

SPACE = {"lr": (1e-3, 1e-1, "log")}
METHODS = [SearchedMethod("kd", "kd", SPACE), SearchedMethod("fixed", "fixed")]


@work()
def try_settings(data: Data, seed: int, lr: float) -> CellResult:
    """Return a score that names the call."""
    return CellResult({"validation": seed + lr})


def conduct(data, run):
    """Run two trials per method with two seeds."""
    rows = run_trials(
        METHODS,
        2,
        (7, 8),
        lambda method, trial: {"lr": float(trial)},
        lambda method, seed, settings: try_settings.cell(data=data["mnist"], seed=seed, **settings),
        run,
    )
    return {"trials": rows, "budget": {"trials": 2}}


@pytest.fixture
def searches(monkeypatch, tmp_path):
    """Declare one search, on real data and a clean checkout."""
    known = [Search("01_try", ("mnist",), conduct)]
    monkeypatch.setattr(recording, "find_notebook", lambda name: SimpleNamespace(name="01_x", chapter="lab1"))
    monkeypatch.setitem(sys.modules, "lab1.search", SimpleNamespace(SEARCHES=known))
    monkeypatch.setitem(sys.modules, "lab1", SimpleNamespace())
    monkeypatch.setattr(recording, "locate_data", lambda *names: {n: Data(n, "0" * 64) for n in names})
    monkeypatch.setattr(recording, "code_state", lambda: {"dirty": False, "commit": "c"})
    monkeypatch.setattr(recording, "cell_root", lambda: tmp_path / "cells")
    return known


@pytest.mark.parametrize("dirty", [True, None])  # None: without git, or if it takes too long
def test_a_search_needs_real_data_and_a_checkout_that_its_record_can_name(searches, monkeypatch, dirty):
    monkeypatch.setattr(recording, "code_state", lambda: {"dirty": dirty})
    with pytest.raises(PipelineError, match="that git confirms to be without uncommitted changes"):
        recording.run_search("01", None, workers=1)
    monkeypatch.setattr(recording, "locate_data", lambda *names: {"mnist": Data("mnist", "0", "standin")})
    with pytest.raises(PipelineError, match="needs the real data set mnist, found a stand-in"):
        recording.run_search("01", None, workers=1)


def test_an_unknown_search_is_refused_by_name(searches):
    with pytest.raises(PipelineError, match="search 'other' of 01_x: allowed: 01_try"):
        recording.run_search("01", "other", workers=1)


def test_trials_are_recorded_with_data_and_provenance(searches, monkeypatch):
    saved = {}
    monkeypatch.setattr(recording, "write_recorded", lambda name, content: saved.update({name: content}))
    assert recording.run_search("01", None, workers=1) == "recorded results/searches/01_try.json"
    content = json.loads(json.dumps(saved["searches/01_try.json"], default=str))
    assert [row["method"] for row in content["trials"]] == ["kd", "kd"]
    assert [row["validation"] for row in content["trials"]] == [[7.0, 8.0], [8.0, 9.0]]
    assert content["data"] == {"mnist": "0" * 64}
    assert content["provenance"]["command"] == "ntkd search 01 01_try"
