"""Prose holds no measured literal: results are bound to evidence, other numbers are marked or recognised."""

import re

import pytest

from ntkd_lib.pipeline.numbers import Page, check_prose, recorded_runs
from ntkd_lib.pipeline.readme import with_times
from tests.book.literals import literals, prose
from tests.setup.project import ROOT

PAGES = sorted((ROOT / "book").rglob("*.md"))
PATHS = [*sorted((ROOT / "notebooks").glob("*.py")), *PAGES, ROOT / "README.md"]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_measured_literal_stands_in_prose(path):
    assert literals(prose(path)) == []


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_line_starts_with_a_percent_sign_which_would_hide_it(path):
    assert not re.search(r"^\s*%", prose(path), re.MULTILINE)


def test_the_numbers_of_the_readme_are_those_of_the_records():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "/ours, auto :.1g -->" in text
    assert with_times(text) == text, "run python -m ntkd_lib.pipeline.readme"
    assert with_times(text.replace("/ours, auto :.1g -->", "/ours, auto :.1g -->9")) == text


def test_every_number_of_the_notebooks_rests_on_evidence():
    check_prose()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_number_of_the_pages_rests_on_evidence(path):
    Page(path.name, "cpu", recorded_runs()).fill(prose(path))


@pytest.mark.parametrize(
    "text, found",
    [
        ("Labels alone reach 74.3 %.", 1),
        ("It is 0.01 points behind, −0.25 in the last.", 2),
        ("That is four devices of five, or three points.", 2),
        ("It needs 200 and 40 times fewer rows.", 2),
        ("It takes 36 ms a step.", 1),
        ("Labels alone reach {val}`a.b :.1f` %, the paper {paper}`74.3 %`.", 0),
        ("Table 5, Eq. 8, 1998, CIFAR-10, float32, 95 % intervals, $10^{-4}$ and `0.5`.", 0),
        ("The 55,000 images of 7 × 7 pixels, 4096–360–200–10, 8 signed filters.", 0),
        ("| subject | the paper | here |\n|---|---|---|\n| a | 8.1 % | {setup}`9 %` |", 0),
    ],
)
def test_what_counts_as_a_measured_literal(text, found):
    assert len(literals(text)) == found
