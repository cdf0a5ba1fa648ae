"""The size of the library, which may only fall: whoever lowers it lowers the number here too."""

import pytest

from tests.setup.project import ROOT, python_files

LINES = 41891
SLACK = 400  # lines below the committed number before it must be lowered


def lines(*folders):
    """Count the physical lines of all Python files below folders."""
    return count(python_files(*folders))


def test_the_library_does_not_grow():
    assert lines("ntkd_lib") <= LINES


def test_the_committed_number_follows_the_library_down():
    assert lines("ntkd_lib") > LINES - SLACK


PLANS = [path for path in python_files("ntkd_lib") if path.match("ntkd_lib/chapters/*/plan.py")]
CHAPTERS = sorted(path.parent for path in PLANS)
CORE_FILES, CORE_LINES = 6, 1_000
SHARE = 0.32  # of the library's lines that serve a single notebook: experiments do, methods do not


def count(paths):
    """Count the lines of files."""
    return sum((ROOT / path).read_text(encoding="utf-8").count("\n") for path in paths)


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.name)
def test_the_core_of_a_chapter_is_read_in_one_sitting(chapter):
    files = [path for path in python_files("ntkd_lib") if path.parent == chapter]
    core = [path for path in files if path.name != "__init__.py"]
    assert len(core) <= CORE_FILES
    assert count(core) <= CORE_LINES


def test_most_of_the_library_serves_more_than_one_notebook():
    files = python_files("ntkd_lib")
    one = [path for path in files if any(chapter in path.parents for chapter in CHAPTERS)]
    assert count(one) <= SHARE * count(files)
