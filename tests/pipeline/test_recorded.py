"""Recorded pages: what a run left is kept, checked, and shown with today's text; nothing is executed."""

import json
import re
import shutil
import subprocess
import sys
import tarfile
from types import SimpleNamespace

import pytest
from nbformat.v4 import new_code_cell

from ntkd_lib.lab.evidence import save_evidence
from ntkd_lib.lab.layout import Layout
from ntkd_lib.lab.manifest import manifest_problems
from ntkd_lib.pipeline import notebooks, recorded
from ntkd_lib.pipeline.pages import drawings_beside
from tests.lab.judging import book_of, entry, metric, run
from tests.pipeline.toy import NAME, REPOSITORY, make_toy
from tests.setup.project import ROOT

BUNDLE = f"results/cpu/{NAME}.tar.xz"
COMPOSE = f"""
import json
from ntkd_lib.pipeline.recorded import recorded_layout, recorded_problems
layout = recorded_layout("{NAME}")
cells = json.loads(layout.executed("{NAME}").read_text())["cells"]
outputs = [output for cell in cells for output in cell.get("outputs", []) if "data" in output]
shown = ["".join(output["data"]["text/plain"]) for output in outputs]
print(json.dumps(["".join(cells[0]["source"]), shown, len(cells), list(recorded_problems())]))
"""


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """Return a toy project whose page of tier cpu is recorded."""
    toy = make_toy(
        tmp_path_factory.mktemp("kept") / "toy", last='evidence.notebook\n\n# %% tags=["hide-input"]\n7'
    )
    (toy.root / ".gitignore").write_text("build/\n__pycache__/\n")
    for words in ("init -q", "add -A", "-c user.name=t -c user.email=t@t commit -qm toy"):
        subprocess.run(["git", "-C", str(toy.root), *words.split()], check=True)
    early = toy.ntkd("keep", "90")
    assert early.stderr.endswith(
        f"{NAME}: it has no seal: it was not run to its end; run: ntkd run 90 --tier cpu\n"
    )
    assert toy.ntkd("run", "90", "--workers", "1").returncode == 0
    done = toy.ntkd("keep", "90")
    assert (done.returncode, done.stderr) == (0, "")
    return toy


@pytest.fixture
def clone(kept, tmp_path):
    """Return a copy of it as version control would make one: without anything built."""
    toy = kept.copy(tmp_path / "clone")
    shutil.rmtree(toy.build)
    return toy


def composed(toy):
    done = toy.process([sys.executable, "-c", COMPOSE])
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def members(path):
    with tarfile.open(path) as archive:
        return {entry.name: archive.extractfile(entry).read() for entry in archive}


def test_a_clone_shows_the_recorded_page(clone):
    opening, shown, _, problems = composed(clone)
    assert opening.startswith("# A toy\n\n")
    assert "Recorded on 20" in opening
    assert "To run it here: <code>ntkd run 90</code></div>" in opening
    assert shown == ["(['a', 'b'], 7.5)", "'90_toy'", "7"]
    assert problems == []


IMPORTS = """import pandas as pd
from ntkd_lib.show import Column
from ntkd_lib.show.columns import show_recorded
run = open()
"""
ROWS = 'pd.DataFrame({"a": [7]}), [Column("A", "{a:.2f}")], "Sevens"'


def fresh(source, names, *tags):
    return recorded._fresh(new_code_cell(source, metadata={"tags": [*tags]}), names)


def test_what_rests_on_recorded_numbers_alone_is_made_anew():
    names = recorded._imported([IMPORTS, "1 + 1"])
    assert "run" not in names
    (output,) = fresh(f"show_recorded({ROWS})", names)
    assert re.search("Sevens.*7.00", output.data["text/html"], re.DOTALL)
    assert fresh(f"show_table({ROWS})", names) == []
    (tagged,) = fresh(f"row = {ROWS}\nshow_recorded(*row)", names, "hide-input", "recorded")
    assert tagged == output
    with pytest.raises(NameError, match="run"):
        fresh("show_recorded(run.frame())", names)


def test_every_table_and_figure_of_recorded_numbers_needs_no_run(tmp_path):
    for source in notebooks.all_notebooks():
        code = [cell for cell in notebooks.read_percent(source.path).cells if cell.cell_type == "code"]
        layout = Layout(tmp_path)
        own = {"run": SimpleNamespace(notebook=source.name, layout=layout)}
        names = recorded._imported(cell.source for cell in code) | own
        tagged = [cell for cell in code if "recorded" in cell.metadata.get("tags", [])]
        shown = [cell for cell in code if "show_recorded(" in cell.source and "import" not in cell.source]
        assert all(recorded._fresh(cell, names) for cell in [*shown, *tagged])
        drawn = [name for cell in tagged for name in recorded.FIGURE.findall(cell.source)]
        assert all((layout.figures(source.name) / f"{name}.csv").is_file() for name in drawn)
        assert len(drawn) == len(tagged) - (source.name.startswith("07"))  # no curve is recorded yet


def test_text_is_todays_and_what_changed_since_is_named(clone):
    clone.edit(clone.notebook, "# # A toy", "# # Another title")
    clone.edit(clone.notebook, "\n7\n", "\n7 + 1\n")
    clone.edit(clone.root / "src/toy_lab/work.py", "FACTOR = 1.0", "FACTOR = 2.0")
    opening, shown, count, _ = composed(clone)
    assert opening.startswith("# Another title\n\n")
    assert "; 1 of its figures and tables are not recorded. To run it here: " in opening
    fold = "<details><summary>1 module behind its numbers has changed since</summary>toy_lab.work</details>"
    assert fold in opening
    assert shown == ["(['a', 'b'], 7.5)", "'90_toy'"]
    assert count == 5


def test_a_chapter_whose_page_is_not_recorded_says_so(clone):
    (clone.root / BUNDLE).unlink()
    opening, shown, _, _ = composed(clone)
    assert "; 1 of its figures and tables are not recorded. To run it here: " in opening
    assert shown == []


def test_a_page_or_number_that_is_not_the_runs_own_is_named(clone, monkeypatch):
    monkeypatch.setenv("NTKD_ROOT", str(clone.root))
    assert list(manifest_problems()) == list(recorded.recorded_problems()) == []
    path = clone.root / BUNDLE
    files = members(path)
    page = f"executed/{NAME}.ipynb"
    path.write_bytes(recorded._packed({**files, page: files[page].replace(b"7.5", b"9.5")}))
    (clone.root / f"results/cpu/{NAME}.json").write_text("{}")
    assert list(recorded.recorded_problems()) == [
        f"{BUNDLE}: executed/{NAME}.ipynb has changed after the run",
        f"{BUNDLE}: its evidence is not that of results/cpu/{NAME}.json",
    ]
    path.write_bytes(b"no archive")
    assert [line.partition(": ")[2][:14] for line in recorded.recorded_problems()] == ["cannot be read"]
    assert len(list(manifest_problems())) == 2


@pytest.mark.parametrize("again, files", [(5.0, ["01_demo.2026-01-02T0304.json"]), (12.0, [])])
def test_numbers_whose_verdict_a_rerun_turns_are_kept_beside_it(tmp_path, monkeypatch, again, files):
    judged = book_of(entry({"kind": "at_least", "threshold": 10}, seeds=1))
    earlier = run({"ntkd.a": metric(11.0)}, recorded=True)
    monkeypatch.setattr(recorded, "load_claims", lambda: judged)
    monkeypatch.setattr(recorded, "recorded_run", lambda _: earlier)
    numbers = tmp_path / "01_demo.json"
    save_evidence(numbers, earlier)
    assert [path.name for path in recorded._keep_disputed(run({"ntkd.a": metric(again)}), numbers)] == files
    reruns = [(path.name, path.read_bytes()) for path in tmp_path.glob("reruns/*")]
    assert reruns == [(name, numbers.read_bytes()) for name in files]


@pytest.mark.parametrize(
    "page", sorted((ROOT / "results/cpu").glob("*.tar.xz")), ids=lambda page: page.name[:2]
)
def test_no_recorded_page_loads_more_than_three_megabytes(page, tmp_path):
    layout, name = Layout(tmp_path), page.name.removesuffix(".tar.xz")
    recorded._unpack(name, layout)
    chapter = drawings_beside(layout.executed(name).read_bytes(), layout.figures(name))
    images = [image for image in re.findall(rb"<img[^>]+>", chapter) if b"only-light" in image]
    light = {layout.figures(name) / re.search(rb'/([^"/]+svg)', image)[1].decode() for image in images}
    assert len(light) >= 5
    assert len(chapter) + sum(path.stat().st_size for path in light) <= 3_000_000


def test_drawings_are_stored_once_and_bitmaps_not_at_all(tmp_path):
    layout = Layout(tmp_path)
    drawing = b"<svg>" + bytes(range(256)) * 40 + b"</svg>"
    inline = recorded.INLINE_IMAGE + recorded.base64.b64encode(drawing).decode()
    for path in (layout.seal("a"), layout.evidence("a"), layout.figures("a") / "x.light.png"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    (layout.figures("a") / "x.light.svg").write_bytes(drawing)
    layout.executed("a").write_text(f"<img src='{inline}'>")
    files = recorded._page_files(layout, "a")
    assert sorted(files) == [
        "evidence/a.json",
        "executed/a.ipynb",
        "executed/a.seal.json",
        "figures/a/x.light.svg",
    ]
    assert files["executed/a.ipynb"] == b"<img src='ntkd-figure:x.light.svg'>"
    layout.executed("a").write_bytes(files["executed/a.ipynb"])
    assert recorded._swapped(layout, "a", -1) == f"<img src='{inline}'>"
    assert recorded._packed(files) == recorded._packed(dict(reversed(files.items())))
    (tmp_path / "a.tar.xz").write_bytes(recorded._packed(files))
    assert members(tmp_path / "a.tar.xz") == files


@pytest.mark.parametrize("state", [True, None])  # None: without git, or if it takes too long
def test_numbers_of_uncommitted_code_are_refused(state):
    evidence = recorded.load_evidence(REPOSITORY / "results/cpu/05_spectral_overfitting.json")
    recorded._require_clean(evidence, "")
    dirty = evidence.model_copy(update={"provenance": {**evidence.provenance, "made": [{"dirty": state}]}})
    with pytest.raises(recorded.PipelineError, match="git could not tell; commit, then ntkd run"):
        recorded._require_clean(dirty, "ntkd run 05")
