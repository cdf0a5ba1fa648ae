"""The book as one PDF: pages joined with their links, and one line where there is no browser."""

import re
import shutil

import pytest
from click.testing import CliRunner

from ntkd_lib.pipeline import pdf
from ntkd_lib.pipeline.cli import cli
from ntkd_lib.pipeline.doctor import check_browser
from ntkd_lib.pipeline.errors import PipelineError
from tests.book.browser import find_browser

PAGE = """<!DOCTYPE html><html><head><title>Book</title><link href="_static/a.css" rel="stylesheet" />
<script>window.MathJax = {{}}</script><script defer="defer" src="_static/mathjax/tex-svg.js?v=1"></script>
<script src="_static/other.js"></script></head><body><nav>Menu</nav>
<article class="bd-article"><h1 id="title">{0}</h1>{1}</article></body></html>"""
FIRST = """<a href="use/b.html#title">b</a><a href="#title">here</a><a href="https://x.org/y">out</a>
<a download href="_static/a.csv">file</a><img loading="lazy" src="data:a" class="only-light">
<img src="data:b" class="only-dark">
<details class="ntkd-fold">more</details><details class="ntkd-firm">curve</details>"""


@pytest.fixture
def pages(tmp_path):
    (tmp_path / "use").mkdir()
    (tmp_path / "a.html").write_text(PAGE.format("A", FIRST))
    (tmp_path / "use" / "b.html").write_text(
        PAGE.format("B", '<a href="../a.html">a</a><img src="../_images/c.png">')
    )
    return tmp_path


def test_links_between_joined_pages_stay_inside_and_files_beside_the_book_are_no_links(pages):
    text = pdf.joined_pages(pages, ["a", "use/b"])
    links = ["#use-b--title", "#a--title", "https://x.org/y", "#a"]
    assert re.findall(r'<a[^>]*?href="([^"]*)"', text) == links
    ids = re.findall(r'id="([^"]*)"', text)
    assert ids == ["a", "a--title", "use-b", "use-b--title"]
    assert 'src="_images/c.png"' in text


def test_joined_pages_keep_their_frame_and_lose_dark_images_and_navigation(pages):
    text = pdf.joined_pages(pages, ["a", "use/b"])
    assert text.count("_static/a.css") == text.count("tex-svg.js") == text.count("window.MathJax") == 1
    assert ("only-light" in text, "only-dark" in text, "Menu" in text, "lazy" in text) == (1, 0, 0, 0)
    assert text.count("<article") == text.count("</article>") == 2


def test_without_chromium_the_pdf_is_refused_in_one_line(monkeypatch):
    monkeypatch.delenv("NTKD_BROWSER", raising=False)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(PipelineError, match=r"^a PDF needs Chromium or Chrome: install it, .* NTKD_BROWSER$"):
        pdf.require_browser()

    assert str(check_browser()).startswith("note  browser: a PDF needs Chromium or Chrome: ")


def test_a_browser_that_cannot_be_run_is_refused_before_the_book_is_built(monkeypatch, tmp_path):
    (tmp_path / "chrome").write_text("no program")
    for name in ("no-such-browser", str(tmp_path / "chrome")):
        monkeypatch.setenv("NTKD_BROWSER", name)
        refused = CliRunner().invoke(cli, ["book", "--pdf"])
        assert (refused.exit_code, refused.stdout) == (1, "")
        assert refused.stderr == f"ntkd: NTKD_BROWSER: got {name!r}, allowed: a program that can be run\n"
        assert str(check_browser()).startswith("note  browser: NTKD_BROWSER: got ")
    monkeypatch.setenv("NTKD_BROWSER", "true")
    assert pdf.require_browser() == check_browser().found == shutil.which("true")


def test_a_browser_that_prints_nothing_is_an_error_and_leaves_the_earlier_pdf(pages, monkeypatch):
    (pages / "a.pdf").write_text("earlier")
    with pytest.raises(PipelineError, match=r"^false printed nothing: no message$"):
        pdf.print_page("false", pages / "a.html", pages / "a.pdf")
    monkeypatch.setattr(pdf, "LONGEST", 0.2)
    slow = pages / "slow"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    with pytest.raises(PipelineError, match=r"slow printed nothing within 0.2 seconds$"):
        pdf.print_page(str(slow), pages / "a.html", pages / "a.pdf")
    assert (pages / "a.pdf").read_text() == "earlier"


@pytest.mark.skipif(find_browser() is None, reason="no Chromium here")
def test_each_page_of_the_book_begins_a_sheet(pages):
    style = "<style>.ntkd-book > article + article { break-before: page; }</style>"
    (pages / "joined.html").write_text(style + pdf.joined_pages(pages, ["a", "use/b"]))
    pdf.print_page(find_browser(), pages / "joined.html", pages / "book.pdf")
    printed = (pages / "book.pdf").read_bytes()
    assert printed.startswith(b"%PDF")
    assert len(re.findall(rb"/Type /Page\b", printed)) == 2
    assert re.findall(rb"/Title \((.*?)\)", printed)[1:] == [b"A", b"B"]
