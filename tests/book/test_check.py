"""Each fault that a reader would stumble over is found in the files of the built book."""

import subprocess
import sys

import pytest

from ntkd_lib.lab.layout import tier_layout
from tests.book import fake
from tests.book.check import Page, check_site, main, page_bytes

CHAPTER = f"{fake.CHAPTER}.html"
DOWNLOADS = f"_static/downloads/{fake.CHAPTER}"


@pytest.fixture
def html(own):
    return tier_layout(fake.TIER).html


def change(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_the_built_book_is_in_order(built):
    assert check_site(tier_layout(fake.TIER).html) == []


def test_a_page_that_is_too_heavy_is_named_and_dark_figures_do_not_count(tmp_path):
    for name, size in {"light.svg": 2_000_000, "dark.svg": 2_000_000, "index.html": 20}.items():
        (tmp_path / name).write_bytes(b" " * size)
    page = Page(tmp_path / "index.html", figures={"light.svg", "lost.svg"})
    assert page_bytes(page) == 2_000_020
    html = '<img alt="x" class="only-dark" src="dark.svg"><img alt="x" src="light.svg">'
    (tmp_path / "index.html").write_text(html + " " * 1_000_000)
    problem = next(line for line in check_site(tmp_path) if "bytes" in line)
    assert problem == f"index.html: {3_000_000 + len(html):,} bytes with its figures; 3,000,000 is the most"


def test_no_book_is_said_in_one_line(tmp_path):
    assert check_site(tmp_path) == [f"no book in {tmp_path}: index.html is missing"]


@pytest.mark.parametrize(
    "new, problem",
    [
        ('<img src="_static/file.png">', "an image has no alternative text: _static/file.png"),
        ('<img alt="" src="_static/file.png">', "an image has no alternative text: _static/file.png"),
        (
            '<img alt="_images/3a.svg" src="_static/file.png">',
            "alternative text is a file name: _images/3a.svg",
        ),
        ('<img alt="x" src="data:image/png;base64,">', "an image is empty"),
        (
            '<img alt="x" src="https://a.b/c.png">',
            "https://a.b/c.png loaded by <img> comes from another host",
        ),
        ('<script src="//a.b/c.js"></script>', "//a.b/c.js loaded by <script> comes from another host"),
        ('<link rel="stylesheet" href="lost.css">', "lost.css loaded by <link> does not exist"),
        ('<iframe src="http://a.b"></iframe>', "http://a.b loaded by <iframe> comes from another host"),
        ('<a download href="lost.csv">x</a>', "lost.csv offered for download does not exist"),
        ('<a href="lost.html">x</a>', "link to lost.html, which does not exist"),
        (
            '<a href="index.html#lost">x</a>',
            "link to index.html#lost, but there is no such place on that page",
        ),
        ('<a href="#lost">x</a>', "link to #lost, but there is no such place on that page"),
        ("<h1>Second</h1>", "2 titles (h1); one is right"),
        ("<table><tr><td>1</td></tr></table>", "1 tables without a header"),
    ],
)
def test_a_fault_in_a_page_is_found(html, new, problem):
    change(html / "notation.html", "</article>", f"{new}</article>")
    assert check_site(html) == [f"notation.html: {problem}"]


def test_outward_links_are_allowed(html):
    change(html / "notation.html", "</article>", '<a href="https://arxiv.org">x</a></article>')
    assert check_site(html) == []


def test_an_empty_page_is_found(html):
    head = '<html lang="en"><title>x</title><article><h1>One</h1></article></html>'
    (html / "bibliography.html").write_text(head)
    problems = check_site(html)
    assert "bibliography.html: the page is empty (1 words)" in problems


def test_a_page_without_language_is_found(html):
    change(html / "notation.html", '<html lang="en"', "<html")
    assert check_site(html) == ["notation.html: the page does not name its language"]


def test_a_missing_page_is_found_by_its_links(html):
    (html / "deviations.html").unlink()
    assert "index.html: link to deviations.html, which does not exist" in check_site(html)


def test_an_empty_figure_file_is_found(html):
    (html / DOWNLOADS / "accuracy.light.svg").write_bytes(b"")
    where = f"{CHAPTER}: {DOWNLOADS}/accuracy.light.svg"
    assert check_site(html) == [f"{where} loaded by <img> is empty", f"{where} offered for download is empty"]


def test_a_style_sheet_may_not_load_from_elsewhere(html):
    with (html / "_static/ntkd.css").open("a") as file:
        file.write("p { background: url('https://a.b/c.png'); }")
    assert check_site(html) == ["ntkd.css: style sheet loads https://a.b/c.png from another host"]


def test_the_command_says_how_it_ended(html, capsys):
    assert main(["--tier", fake.TIER, "--browser", "off"]) == 0
    assert capsys.readouterr().out == "browser part left out\n17 pages in order\n"
    (html / "deviations.html").unlink()
    assert main(["--tier", fake.TIER, "--browser", "off"]) == 1
    captured = capsys.readouterr()
    assert all(line.startswith("ntkd: ") for line in captured.err.splitlines())
    assert captured.out.endswith("problems on 16 pages\n")


def test_a_browser_can_be_required(html, capsys, monkeypatch):
    monkeypatch.setattr("tests.book.check.find_browser", lambda: None)
    assert main(["--tier", fake.TIER]) == 0
    assert main(["--tier", fake.TIER, "--browser", "require"]) == 1
    assert "ntkd: no Chromium found, and --browser require was given" in capsys.readouterr().err


def test_it_runs_as_a_module(built):
    command = [sys.executable, "-m", "tests.book.check", "--tier", fake.TIER, "--browser", "off"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
