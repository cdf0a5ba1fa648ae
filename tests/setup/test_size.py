"""The size of the library, which may only fall: whoever lowers it lowers the number here too."""

from tests.setup.project import ROOT, python_files

LINES = 43_500
SLACK = 400  # lines below the committed number before it must be lowered


def lines(*folders):
    """Count the physical lines of all Python files below folders."""
    return sum((ROOT / path).read_text(encoding="utf-8").count("\n") for path in python_files(*folders))


def test_the_library_does_not_grow():
    assert lines("ntkd_lib") <= LINES


def test_the_committed_number_follows_the_library_down():
    assert lines("ntkd_lib") > LINES - SLACK
