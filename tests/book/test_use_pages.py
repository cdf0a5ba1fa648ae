"""The pages on using the packages: their code runs, prints what they show, and opens with a short example."""

import contextlib
import doctest
import io
import re
from dataclasses import dataclass

import pytest
import torch
import yaml

from tests.setup.project import ROOT
from tests.setup.test_public_names import PACKAGES

PAGES = sorted((ROOT / "book/use").glob("*.md"))
BLOCK = re.compile(r"^```python\n(?P<code>.+?)^```\n(?:\n```text\n(?P<output>.+?)^```\n)?", re.DOTALL | re.M)
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass(frozen=True)
class Example:
    """One block of code with the output that the page shows below it."""

    code: str
    output: str
    line: int


def examples(page):
    """Return the examples of a page, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Example(match["code"], match["output"] or "", text[: match.start()].count("\n") + 1)
        for match in BLOCK.finditer(text)
    ]


def compare_outputs(page):
    """Run a page from top to bottom, and return each example whose output differs, with what came."""
    values, differing = {}, []
    for example in examples(page):
        printed = io.StringIO()
        padding = "\n" * example.line  # so that a traceback names the line of the page
        with contextlib.redirect_stdout(printed):
            exec(compile(padding + example.code, str(page), "exec"), values)
        if not doctest.OutputChecker().check_output(example.output, printed.getvalue(), FLAGS):
            differing.append((example.line, printed.getvalue()))
    return differing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_prints_what_it_shows(page, monkeypatch, tmp_path):
    monkeypatch.setenv("NTKD_OFFLINE", "1")
    monkeypatch.setenv("NTKD_CACHE", str(tmp_path))
    with torch.random.fork_rng():
        assert compare_outputs(page) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_opens_with_ten_lines_and_has_more(page):
    first, *others = examples(page)
    assert len([line for line in first.code.splitlines() if line.strip()]) <= 10
    assert len(others) >= 3


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_no_code_escapes_the_test(page):
    assert page.read_text(encoding="utf-8").count("```python\n") == len(examples(page))


def test_a_wrong_output_would_be_seen(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("```python\nprint(1 + 1)\n```\n\n```text\n3\n```\n")
    assert compare_outputs(page) == [(1, "2\n")]


def test_every_package_has_a_page_in_the_book():
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text())
    library = next(part for part in contents["parts"] if part["caption"] == "The library")
    files = [chapter["file"] for chapter in library["chapters"]]
    assert [f"use/{page.stem}" for page in PAGES] == sorted(file for file in files if file.startswith("use/"))
    shared = {"ntk": "tangent_kernel", "nets": "use/distill"}  # networks are used by every page
    assert {shared.get(package, f"use/{package}") for package in PACKAGES} <= set(files)
