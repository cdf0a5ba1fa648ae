"""The manifest of recorded results: any edited, forged, cut or lost file is named."""

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from ntkd_lib.lab.layout import results_root
from ntkd_lib.lab.manifest import (
    manifest_file,
    manifest_problems,
    recorded_files,
    renew_manifest,
    write_recorded,
)
from tests.setup.project import ROOT

FILES = ("01_a.json", "cpu/01_a.json", "searches/01_a.json", "benchmarks/entk_cpu.json", "cpu/notes.npz")


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    """Return the results folder of a project with one file of each kind."""
    monkeypatch.setenv("NTKD_ROOT", str(tmp_path))
    for name in FILES:
        path = results_root() / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"value": 1.0, "file": name}))
    drawing = tmp_path / "book/_static/readme.svg"
    drawing.parent.mkdir(parents=True)
    drawing.write_text("<svg/>")
    renew_manifest()
    return results_root()


def test_the_manifest_of_the_project_holds():
    assert list(manifest_problems()) == [], "renew it: python -m ntkd_lib.lab.manifest"
    assert {"README.md"}.isdisjoint(recorded_files())
    assert len(recorded_files()) > 20


def test_recorded_files_are_in_order(recorded):
    assert list(manifest_problems()) == []


CHANGES = {
    "a number edited": lambda whole: whole.replace(b"1.0", b"1.1").replace(b"<svg", b"<SVG"),
    "a space added": lambda whole: whole + b" ",
    "cut": lambda whole: whole[:4],
    "emptied": lambda _: b"",
    "lost": None,
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", [*(f"results/{name}" for name in FILES), "book/_static/readme.svg"])
def test_a_changed_file_is_named(recorded, name, change):
    path = recorded.parent / name
    if (changed := CHANGES[change]) is None:
        path.unlink()
    else:
        path.write_bytes(changed(path.read_bytes()))
    (problem,) = manifest_problems()
    assert problem.startswith(f"{name} {'was changed' if changed else 'is missing'}")


FORGED = {
    "a protocol": "02_forged.json",
    "a run": "cpu/02_forged.json",
    "a rerun": "cpu/reruns/x.json",
    "a search": "searches/x.json",
    "notes": "notes.txt",
}


@pytest.mark.parametrize("case", FORGED)
def test_a_forged_file_is_named(recorded, case):
    name = FORGED[case]
    (recorded / name).parent.mkdir(exist_ok=True)
    (recorded / name).write_text("{}")
    assert list(manifest_problems()) == [
        f"results/{name} was added by hand: results/SHA256SUMS does not list it"
    ]


def test_recording_one_file_does_not_bless_another(recorded):
    (recorded / "02_forged.json").write_text("{}")
    (recorded / "01_a.json").write_text("{}")
    (recorded / "cpu/01_a.json").write_text("[]")
    renew_manifest(recorded / "cpu/01_a.json")
    problems = [problem.split()[0] for problem in manifest_problems()]
    assert problems == ["results/01_a.json", "results/02_forged.json"]


def test_a_recorded_search_is_listed(recorded):
    write_recorded("searches/03_c.json", {"trials": []})
    assert (recorded / "searches/03_c.json").is_file()
    assert list(manifest_problems()) == []


def test_files_recorded_at_once_are_all_listed(recorded):
    names = [f"{number}.json" for number in range(20)]
    for name in names:
        (recorded / name).write_text(name)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: renew_manifest(recorded / name), names))
    assert list(manifest_problems()) == []


@pytest.mark.parametrize("text", ["nonsense\n", "0" * 64 + " results/a.json\n"])
def test_a_manifest_that_cannot_be_read_is_named(recorded, text):
    manifest_file().write_text(text)
    (problem,) = manifest_problems()
    assert problem.startswith("results/SHA256SUMS line 1: ")


@pytest.mark.parametrize("empty", [True, False])
def test_without_a_manifest_nothing_counts_as_recorded(recorded, empty):
    manifest_file().write_text("") if empty else manifest_file().unlink()
    assert list(manifest_problems())


def test_sha256sum_reads_the_manifest():
    done = subprocess.run(
        ["sha256sum", "--quiet", "-c", "results/SHA256SUMS"], cwd=ROOT, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "")
