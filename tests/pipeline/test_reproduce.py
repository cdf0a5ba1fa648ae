"""The whole way: notebooks, book, and nothing at all the second time."""

import shutil
from dataclasses import replace

import pytest

from ntkd_lib.lab.claims import load_claims
from ntkd_lib.lab.manifest import renew_manifest
from ntkd_lib.pipeline import reproduce as module
from ntkd_lib.pipeline.errors import PipelineError
from ntkd_lib.pipeline.notebooks import find_notebook
from tests.book.fake import leave_out_reference
from tests.pipeline.toy import NAME, REPOSITORY, seconds_of_processes
from tests.setup.project import copy_book


@pytest.fixture
def with_book(own, monkeypatch):
    """Give the run project the book's sources, and its notebook a place in the contents."""
    copy_book(own.root)
    shutil.copyfile(REPOSITORY / "_config.yml", own.root / "_config.yml")
    contents = (REPOSITORY / "_toc.yml").read_text(encoding="utf-8")
    (own.root / "_toc.yml").write_text(contents.replace("01_ntkd_classification", NAME), encoding="utf-8")
    leave_out_reference(own.root / "_toc.yml")
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
        f"claims on tier smoke: {len(load_claims().claims)} not assessed",
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


def test_a_failing_notebook_does_not_stop_the_next(inside, monkeypatch):
    said = []
    toy = find_notebook("90")
    notebooks = [replace(toy, name=name) for name in ("01_a", "02_b")]

    def run_target(target, **_):
        if target.name == "01_a":
            raise PipelineError("01_a: broken")
        said.append(f"ran {target.name}")

    monkeypatch.setattr(module, "all_notebooks", lambda: notebooks)
    monkeypatch.setattr(module, "run_target", run_target)
    with pytest.raises(PipelineError, match=r"^1 of 2 notebooks failed \(01_a\); no book was built$"):
        module.reproduce("smoke", say=said.append)
    assert said == ["ntkd: 01_a: broken", "ran 02_b"]
