"""The whole way: notebooks, book, and nothing at all the second time."""

import os
import shutil
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from ntkd_lib.lab.manifest import renew_manifest
from ntkd_lib.pipeline import reproduce as module
from ntkd_lib.pipeline.errors import PipelineError
from ntkd_lib.pipeline.notebooks import find_notebook
from tests.book.fake import ANSWERS, leave_out_reference
from tests.pipeline.toy import NAME, REPOSITORY, seconds_of_processes, totals
from tests.setup.project import copy_book


@pytest.fixture
def with_book(own, monkeypatch):
    """Give the run project the book's sources, and its notebook a place in the contents."""
    copy_book(own.root)
    shutil.copyfile(REPOSITORY / "_config.yml", own.root / "_config.yml")
    contents = (REPOSITORY / "_toc.yml").read_text(encoding="utf-8")
    (own.root / "_toc.yml").write_text(contents.replace("01_ntkd_classification", NAME), encoding="utf-8")
    leave_out_reference(own.root / "_toc.yml")
    (own.root / "README.md").write_text(ANSWERS, encoding="utf-8")
    with monkeypatch.context() as patch:
        patch.setenv("NTKD_ROOT", str(own.root))
        renew_manifest()
    return own


def test_reproducing_builds_the_book_once(with_book):
    page = with_book.tier / "html" / "index.html"
    first = with_book.ntkd("reproduce", "--tier", "smoke", "--workers", "1")
    assert (first.returncode, first.stderr) == (0, "")
    said = first.stdout.splitlines()
    assert said == [
        f"{NAME}: up to date",
        f"claims on tier smoke: {totals()}",
        f"the book is at {page}",
    ]
    assert (with_book.tier / "html" / f"{NAME}.html").is_file()
    before, start = with_book.files(), seconds_of_processes()
    second = with_book.ntkd("reproduce", "--tier", "smoke", "--workers", "1")
    assert seconds_of_processes() - start < 8  # the book alone takes longer
    assert second.stdout == first.stdout
    assert with_book.files() == before


def test_changed_parameters_get_a_page(with_book):
    done = with_book.run("-p", "seed=1")
    assert done.returncode == 0, done.stderr
    (folder,) = (with_book.build / "runs").iterdir()
    assert done.stdout.splitlines()[-1] == f"its page: {folder}/html/{NAME}.html"
    assert "(['a', 'b'], 1.0)" in (folder / "html" / f"{NAME}.html").read_text().replace("&#39;", "'")


@pytest.fixture
def two(inside, monkeypatch, tmp_path):
    """Make the toy stand for two notebooks, and list those whose cells are computed."""
    monkeypatch.setenv("NTKD_BUILD", str(tmp_path))
    (tmp_path / "smoke").mkdir()
    notebooks = [replace(find_notebook("90"), name=name) for name in ("01_a", "02_b")]
    prepared = []

    def prepare(target, *_, force, say):
        assert not force
        prepared.append(target.name)
        (target.layout.base / f"{target.name} is prepared").touch()
        return True

    monkeypatch.setattr(module, "all_notebooks", lambda: notebooks)
    monkeypatch.setattr(module, "prepare", prepare)
    return prepared


def first_fails(job):
    """Stand for the execution of a notebook."""
    target, _ = job
    return "01_a: broken" if target.name == "01_a" else ""


def first_waits_for_the_second(job):
    """Stand for the execution of a notebook that ends when the cells of the next one have begun."""
    target, _ = job
    end = time.monotonic() + 30
    while target.name == "01_a" and not (target.layout.base / "02_b is prepared").exists():
        if time.monotonic() > end:
            return "01_a: the second never began"
        time.sleep(0.01)
    return ""


def first_dies(job):
    """Stand for an execution whose process is killed."""
    target, _ = job
    if target.name == "01_a":
        os.kill(os.getpid(), signal.SIGKILL)
    return ""


@pytest.mark.parametrize("workers", [1, 2])
def test_a_failing_notebook_does_not_stop_the_next(two, monkeypatch, workers):
    said = []
    monkeypatch.setattr(module, "page_error", first_fails)
    with pytest.raises(PipelineError, match=r"^1 of 2 notebooks failed \(01_a\); no book was built$"):
        module.reproduce("smoke", workers=workers, say=said.append)
    assert sorted(said) == ["02_b: done and sealed", "ntkd: 01_a: broken"]
    assert two == ["01_a", "02_b"]


def test_a_process_that_dies_is_named_and_the_next_goes_on(two, monkeypatch):
    said = []
    monkeypatch.setattr(module, "page_error", first_dies)
    with pytest.raises(PipelineError, match=r"^1 of 2 notebooks failed \(01_a\); no book was built$"):
        module.reproduce("smoke", workers=2, say=said.append)
    died = "ntkd: 01_a: the process that executed it died (killed, or out of memory?)"
    assert sorted(said) == ["02_b: done and sealed", died]


def test_a_notebook_is_executed_beside_the_cells_of_the_next(two, monkeypatch):
    said = []
    monkeypatch.setattr(module, "page_error", first_waits_for_the_second)
    monkeypatch.setattr(module, "build_book", lambda tier: Path(f"book of {tier}"))
    assert module.reproduce("smoke", workers=2, say=said.append) == Path("book of smoke")
    assert sorted(said) == ["01_a: done and sealed", "02_b: done and sealed"]


def test_a_notebook_in_a_process_of_its_own_gives_the_same_page(own):
    here, script = own.executed.read_bytes(), own.notebook
    script.write_text(script.read_text(encoding="utf-8") + "\n# %% [markdown]\n# More.\n", encoding="utf-8")
    aside = own.ntkd("reproduce", "--tier", "smoke", "--workers", "2")
    assert f"{NAME}: executing the notebook\n{NAME}: done and sealed" in aside.stdout
    made = own.executed.read_bytes()
    assert made != here
    assert own.run("--force").returncode == 0
    assert own.executed.read_bytes() == made
