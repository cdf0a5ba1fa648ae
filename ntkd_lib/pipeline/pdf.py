"""The book as one PDF: its pages joined in the order of their contents, and printed by Chromium."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path
from urllib.parse import urljoin

import yaml

from ntkd_lib.lab import tier_layout, write_text
from ntkd_lib.pipeline.errors import PipelineError, one_line
from ntkd_lib.pipeline.pages import toc_pages

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WORDS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"]
PDF = ["--no-pdf-header-footer", "--generate-pdf-document-outline"]
LONGEST = 600  # seconds that printing may take
WAIT = "--virtual-time-budget=120000"  # milliseconds: formulas take a while
ARTICLE = re.compile(r'<article class="bd-article".*?</article>', re.DOTALL)
SCREEN = re.compile(r'<img[^>]*class="only-dark"[^>]*>|<a class="headerlink"[^>]*>#</a>| loading="lazy"')
PLACE = re.compile(r'(?<=\s)(id|href|src)="(?!(?:data|https?|mailto):)([^"]*)"')


def require_browser() -> str:
    """Find Chromium or Chrome, before any work: what ``NTKD_BROWSER`` names, else one on the path."""
    named = os.environ.get("NTKD_BROWSER")
    if browser := next(filter(None, map(shutil.which, [named] if named else BROWSERS)), None):
        return browser
    if named:
        raise PipelineError(f"NTKD_BROWSER: got {named!r}, allowed: a program that can be run")
    raise PipelineError("a PDF needs Chromium or Chrome: install it, or name it in NTKD_BROWSER")


def print_book(tier: str, browser: str) -> Path:
    """Print the built book of a tier."""
    layout = tier_layout(tier)
    contents = yaml.safe_load((layout.site / "_toc.yml").read_text(encoding="utf-8"))
    page, book = layout.html / ".print.html", layout.base / "book.pdf"
    write_text(page, joined_pages(layout.html, toc_pages(contents)))
    try:
        print_page(browser, page, book)
    finally:
        page.unlink()
    return book


def joined_pages(html: Path, pages: Sequence[str]) -> str:
    """Put the articles of all pages into the first one's frame; links between them stay, dark images go."""
    texts = {name: (html / f"{name}.html").read_text(encoding="utf-8") for name in pages}
    articles = "".join(_article(name, text, pages) for name, text in texts.items())
    head = texts[pages[0]].partition("</head>")[0]
    return f'{head}</head><body><main class="bd-content ntkd-book">{articles}</main></body></html>'


def _article(name: str, text: str, pages: Collection[str]) -> str:
    shown = SCREEN.sub("", ARTICLE.search(text)[0])
    moved = PLACE.sub(lambda match: _moved(name, match[1], match[2], pages), shown)
    return moved.replace("<article", f'<article id="{name.replace("/", "-")}"', 1)


def _moved(name: str, what: str, place: str, pages: Collection[str]) -> str:
    """Turn a place of one page into that of the joined page, which cannot reach files beside it."""
    if what == "id":
        return f'id="{name.replace("/", "-")}--{place}"'
    file, _, part = urljoin(f"{name}.html", place).partition("#")
    if what == "src":
        return f'src="{file}"'
    page, part = file.removesuffix(".html"), part and f"--{part}"
    return f'href="#{page.replace("/", "-")}{part}"' if page in pages else ""


def print_page(browser: str, page: Path, made: Path) -> None:
    """Print a page of this machine in a browser without a window; its script unfolds, in the light theme."""
    part = made.with_suffix(".part")
    part.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix="ntkd-print-", ignore_cleanup_errors=True) as profile:
        own = [f"--user-data-dir={profile}", f"--print-to-pdf={part}", page.as_uri()]
        words = [browser, *WORDS, *PDF, WAIT, *own]
        try:
            done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=LONGEST)
        except subprocess.TimeoutExpired:
            raise PipelineError(f"{browser} printed nothing within {LONGEST} seconds") from None
    if done.returncode or not part.is_file():
        raise PipelineError(f"{browser} printed nothing: {one_line(done.stderr or 'no message')}")
    part.replace(made)
