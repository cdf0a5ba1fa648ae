from pathlib import Path

from ntkd_lib.lab import layout


def test_the_project_is_where_the_library_is(monkeypatch):
    monkeypatch.delenv("NTKD_BUILD")
    root = Path(layout.__file__).parents[2]
    assert layout.project_root() == root
    assert layout.build_root() == root / "build"
    assert layout.results_root() == root / "results"


def test_both_roots_can_be_moved(monkeypatch, tmp_path):
    monkeypatch.setenv("NTKD_ROOT", str(tmp_path / "p"))
    monkeypatch.setenv("NTKD_BUILD", str(tmp_path / "b"))
    assert layout.results_root() == tmp_path / "p" / "results"
    assert layout.cell_root() == tmp_path / "b" / "cells"


def test_relative_roots_do_not_follow_a_change_of_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NTKD_BUILD", "out")
    assert layout.build_root() == tmp_path / "out"


def test_a_tier_and_a_rerun_never_share_a_file(monkeypatch, tmp_path):
    monkeypatch.setenv("NTKD_BUILD", str(tmp_path))
    places = []
    for place in (
        layout.tier_layout("smoke"),
        layout.tier_layout("cpu"),
        layout.run_layout("01_a", "f" * 64),
    ):
        places += [place.converted("01_a"), place.executed("01_a"), place.seal("01_a"), place.figures("01_a")]
        places += [place.evidence("01_a"), place.site, place.html]
    assert len(set(places)) == len(places) == 21
    assert layout.run_layout("01_a", "0123456789ab").base == tmp_path / "runs" / "01_a-01234567"
