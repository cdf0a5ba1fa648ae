"""Checks of the built book: what is in the files, and what a browser makes of them."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

from ntkd_lib.lab.atomic import write_bytes
from ntkd_lib.lab.layout import build_root, tier_layout
from tests.book.axe import axe_problems, find_axe
from tests.book.browser import READY, Browser, BrowserError, browsing, find_browser
from tests.book.photographs import check_photographs
from tests.book.rendered import unsupported_numbers
from tests.book.sliders import slider_problems

LOADING = {
    "img": "src",
    "script": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "audio": "src",
    "embed": "src",
    "object": "data",
    "link": "href",
}
LOADED_RELATIONS = {"stylesheet", "icon", "preload", "modulepreload", "prefetch", "shortcut", "manifest"}
GENERATED = {"genindex", "search"}
FILE_LIKE = re.compile(r"\.(png|svg|jpe?g|gif|pdf)$|^[_/]")
CSS_OUTSIDE = re.compile(r"(?:url\(|@import)\s*['\"]?\s*((?:https?:)?//[^'\")\s]+)")
WINDOWS = {"wide": (1400, 1500), "narrow": (390, 844)}
HEAVIEST = 3_000_000  # bytes of a page with all figures that a reader of one theme can see
SCHEMES: tuple[Literal["light"], Literal["dark"]] = ("light", "dark")


@dataclass
class Page:
    """What matters of one HTML file."""

    path: Path
    ids: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    loads: list[tuple[str, str]] = field(default_factory=list)
    images: list[tuple[str, str | None]] = field(default_factory=list)
    figures: set[str] = field(default_factory=set)  # files, those of the dark theme left out
    downloads: list[str] = field(default_factory=list)
    titles: int = 0
    tables: int = 0
    headed: int = 0
    language: str = ""
    words: int = 0


class _Reader(HTMLParser):
    """Reads a page; text counts as words inside `<article>` only."""

    def __init__(self) -> None:
        super().__init__()
        self.page = Page(Path())
        self._article = 0
        self._headed = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if values.get("id"):
            self.page.ids.add(str(values["id"]))
        self._structure(tag, values)
        if tag == "a" and values.get("href"):
            (self.page.downloads if "download" in values else self.page.links).append(str(values["href"]))
        if tag == "img":
            self.page.images.append((str(values.get("src")), values.get("alt")))
            if values.get("class") != "only-dark" and not str(values.get("src")).startswith("data:"):
                self.page.figures.add(str(values.get("src")))
        relation = set(str(values.get("rel", "")).split())
        if values.get(LOADING.get(tag, "")) and (tag != "link" or relation & LOADED_RELATIONS):
            self.page.loads.append((tag, str(values[LOADING[tag]])))

    def _structure(self, tag: str, values: dict[str, str | None]) -> None:
        self._article += tag == "article"
        self.page.titles += tag == "h1" and self._article > 0
        self.page.language = (
            self.page.language or str(values.get("lang") or "") if tag == "html" else self.page.language
        )
        if tag == "table":
            self.page.tables, self._headed = self.page.tables + 1, False
        if tag == "th" and not self._headed:
            self.page.headed, self._headed = self.page.headed + 1, True

    def handle_endtag(self, tag: str) -> None:
        self._article -= tag == "article"

    def handle_data(self, data: str) -> None:
        self.page.words += len(data.split()) if self._article > 0 else 0


def read_page(path: Path) -> Page:
    """Read one HTML file."""
    return replace(_parsed(path.read_text(encoding="utf-8")), path=path)


@cache  # copies of a book differ in a page
def _parsed(text: str) -> Page:
    reader = _Reader()
    reader.feed(text)
    return reader.page


def check_site(html: Path) -> list[str]:
    """Check the files of a built book, without a browser.

    Every page has a title, a language and text; every image an alternative text; every table a header; every
    file that a page loads, links or offers exists and is not empty; nothing is loaded from another host.
    """
    if not (html / "index.html").is_file():
        return [f"no book in {html}: index.html is missing"]
    pages = {
        path.resolve(): read_page(path)
        for path in sorted(html.rglob("*.html"))
        if "_static" not in path.parts
    }
    problems = [problem for page in pages.values() for problem in _page_problems(page, pages)]
    problems += [problem for path in sorted(html.rglob("*.css")) for problem in _style_problems(path)]
    shown = f"{html.resolve()}/"
    return [problem.replace(shown, "") for problem in problems]


def _page_problems(page: Page, pages: dict[Path, Page]) -> Iterator[str]:
    name = page.path.name
    if page.path.stem not in GENERATED:
        yield from _content_problems(page)
    yield from (
        f"{name}: an image has no alternative text: {src[:60]}" for src, alt in page.images if not alt
    )
    for source, alt in page.images:
        if alt and FILE_LIKE.search(alt):
            yield f"{name}: alternative text is a file name: {alt}"
        if source.startswith("data:") and len(source.partition(",")[2]) < 100:
            yield f"{name}: an image is empty"
    if (size := page_bytes(page)) > HEAVIEST:
        yield f"{name}: {size:,} bytes with its figures; {HEAVIEST:,} is the most"
    for tag, address in page.loads:
        yield from _file_problems(page, address, f"loaded by <{tag}>")
    for address in page.downloads:
        yield from _file_problems(page, address, "offered for download")
    for address in page.links:
        yield from _link_problems(page, address, pages)


def page_bytes(page: Page) -> int:
    """Count the bytes of a page and its figures in one theme; what all pages share is left out."""
    files = [page.path, *(page.path.parent / unquote(urlsplit(src).path) for src in page.figures)]
    return sum(path.stat().st_size for path in files if path.is_file())


def _content_problems(page: Page) -> Iterator[str]:
    name = page.path.name
    if page.titles != 1:
        yield f"{name}: {page.titles} titles (h1); one is right"
    if page.words < 20:
        yield f"{name}: the page is empty ({page.words} words)"
    if not page.language:
        yield f"{name}: the page does not name its language"
    if page.headed < page.tables:
        yield f"{name}: {page.tables - page.headed} tables without a header"


def _file_problems(page: Page, address: str, what: str) -> Iterator[str]:
    parts = urlsplit(address)
    if parts.scheme == "data":
        return
    if parts.scheme or parts.netloc:
        yield f"{page.path.name}: {address} {what} comes from another host"
        return
    target = page.path.parent / unquote(parts.path)
    if not target.is_file():
        yield f"{page.path.name}: {address} {what} does not exist"
    elif target.stat().st_size == 0:
        yield f"{page.path.name}: {address} {what} is empty"


def _link_problems(page: Page, address: str, pages: dict[Path, Page]) -> Iterator[str]:
    parts = urlsplit(address)
    if parts.scheme or parts.netloc:
        return
    target = (page.path.parent / unquote(parts.path)).resolve() if parts.path else page.path.resolve()
    if not target.exists():
        yield f"{page.path.name}: link to {address}, which does not exist"
    elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].ids:
        yield f"{page.path.name}: link to {address}, but there is no such place on that page"


def _style_problems(path: Path) -> Iterator[str]:
    for address in CSS_OUTSIDE.findall(path.read_text(encoding="utf-8")):
        yield f"{path.name}: style sheet loads {address} from another host"


OVERFLOW = "document.documentElement.scrollWidth - window.innerWidth"
WIDEST = """(() => {
  const stands = node => { const style = getComputedStyle(node);
    return style.overflowX === 'visible' && style.position !== 'fixed'; };
  const free = node => node === document.body || stands(node) && free(node.parentElement);
  const right = node => node.getBoundingClientRect().right;
  const nodes = [...document.body.querySelectorAll('*')];
  const wide = nodes.filter(node => right(node) > innerWidth && free(node));
  const node = wide.reduce((best, node) => best && right(best) > right(node) ? best : node, null);
  return node ? ': ' + node.textContent.trim().replace(/\\s+/g, ' ').slice(0, 60) : ''; })()"""
FORMULAS = "['.bd-article .math', 'mjx-container'].map(what => document.querySelectorAll(what).length)"
BROKEN = "document.querySelectorAll('mjx-merror, [data-mjx-error]').length"
FIGURES = """[...document.querySelectorAll('figure.ntkd-figure')].filter(f =>
  [...f.querySelectorAll('img')].filter(i => i.offsetParent && i.naturalWidth).length !== 1
  || !f.querySelector('figcaption').offsetParent).map(f => f.id)"""
HITS = """new Promise(done => { let left = 60; const look = () => {
  const hits = document.querySelectorAll('#search-results ul.search li').length;
  if (hits || !--left) done(hits); else setTimeout(look, 100); }; look(); })"""
THEMES = """(() => { const seen = []; for (let i = 0; i < 3; i++) {
  document.querySelector('.theme-switch-button').click();
  seen.push(document.documentElement.dataset.theme); } return [...new Set(seen)].sort().join(); })()"""
PAPER = """['beforeprint', 'afterprint'].map(name => {
  if (name === 'beforeprint') document.documentElement.dataset.theme = 'dark';
  window.dispatchEvent(new Event(name));
  return document.documentElement.dataset.theme; }).join()"""
CONTRAST = """(() => {
  const parse = c => { const m = c.match(/[\\d.]+/g).map(Number); return m.length < 4 ? [...m, 1] : m; };
  const light = ([r, g, b]) => {
    const f = v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
    return .2126 * f(r) + .7152 * f(g) + .0722 * f(b); };
  const behind = e => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor);
    if (c[3] > .5) return c; } return [255, 255, 255, 1]; };
  const poor = new Set();
  for (const e of document.querySelectorAll('.bd-article *')) {
    if (e.closest('svg, mjx-container, .headerlink, button') || !e.offsetParent) continue;
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
    const a = light(parse(getComputedStyle(e).color)), b = light(behind(e));
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) poor.add(`${e.tagName.toLowerCase()}.${e.className} ${ratio.toFixed(1)}:1`);
  } return [...poor].slice(0, 5); })()"""


def check_in_browser(html: Path, shots: Path, program: str, pages: Sequence[Path] = ()) -> list[str]:
    """Look at pages, all where none is named, in headless Chromium, wide and narrow, light and dark."""
    problems: list[str] = []
    with browsing(program) as browser:
        for page in pages or _own_pages(html):
            problems += _open_problems(browser, html, page, shots)
        problems += _search_problems(browser, html)
        problems += _switch_problems(browser, html)
    return problems


def _own_pages(html: Path) -> list[Path]:
    pages = (path for path in html.rglob("*.html") if "_static" not in path.parts)
    return sorted(path for path in pages if path.stem not in GENERATED)


def _pictured(name: str) -> bool:
    return name == "index.html" or name[:2].isdigit()


def _open_problems(browser: Browser, html: Path, page: Path, shots: Path) -> Iterator[str]:
    """Open a page once in each scheme, light in a wide window and dark in a narrow one, and turn it."""
    name = str(page.relative_to(html))
    for scheme, order in zip(SCHEMES, (("wide", "narrow"), ("narrow", "wide")), strict=True):
        browser.prefer(scheme)
        browser.resize(*WINDOWS[order[0]])
        seen = browser.open(page.absolute().as_uri())
        for words in order:
            browser.resize(*WINDOWS[words])
            browser.evaluate(READY)
            yield from (f"{name} ({words}, {scheme}): {problem}" for problem in _look_problems(browser))
            if _pictured(name):
                write_bytes(shots / f"{page.stem}-{words}-{scheme}.png", browser.screenshot())
        browser.resize(*WINDOWS["wide"])
        for check in (slider_problems, axe_problems):
            yield from (f"{name} (wide, {scheme}): {problem}" for problem in check(browser))
        yield from (f"{name} ({scheme}): error in the console: {error}" for error in seen.errors)
        yield from (f"{name} ({scheme}): asks another host for {address}" for address in seen.outside)


def _look_problems(browser: Browser) -> Iterator[str]:
    formulas, made = browser.evaluate(FORMULAS)
    if made < formulas or browser.evaluate(BROKEN):
        yield f"{formulas} formulas, {made} set, {browser.evaluate(BROKEN)} with errors"
    wider = browser.evaluate(OVERFLOW)
    if wider > 0:
        yield f"{wider} pixels wider than the window{browser.evaluate(WIDEST)}"
    yield from (f"{name} shows not one image with its caption" for name in browser.evaluate(FIGURES))
    yield from (f"too little contrast: {words}" for words in browser.evaluate(CONTRAST))


def _search_problems(browser: Browser, html: Path) -> Iterator[str]:
    seen = browser.open(f"{(html / 'search.html').absolute().as_uri()}?q=kernel")
    if not browser.evaluate(HITS):
        yield "search.html: no hit for 'kernel'"
    yield from (f"search.html: error in the console: {error}" for error in seen.errors)
    yield from (f"search.html: asks another host for {address}" for address in seen.outside)


def _switch_problems(browser: Browser, html: Path) -> Iterator[str]:
    seen = browser.open((html / "index.html").absolute().as_uri())
    themes = browser.evaluate(THEMES)
    if "dark" not in themes or "light" not in themes:
        yield f"index.html: the theme switch gives only: {themes}"
    if browser.evaluate(PAPER) != "light,dark":
        yield "index.html: a dark page is not printed in the light theme"
    if not browser.printed().startswith(b"%PDF"):
        yield "index.html: printing gave no PDF"
    yield from (f"index.html: error in the console: {error}" for error in seen.errors)


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="check", description="Check the built book of a tier.")
    parser.add_argument("--tier", choices=("smoke", "cpu", "paper"), default="cpu")
    parser.add_argument("--browser", choices=("auto", "require", "off"), default="auto")
    return parser.parse_args(words)


def _browser_part(html: Path, wanted: str) -> Iterable[str]:
    program = find_browser() if wanted != "off" else None
    if program is None:
        print(
            "no Chromium: the pages were not opened in a browser"
            if wanted != "off"
            else "browser part left out"
        )
        return ["no Chromium found, and --browser require was given"] if wanted == "require" else []
    if find_axe() is None:
        print("no axe-core: the rules of accessibility were not run (npm install --prefix build axe-core)")
    shots = build_root() / "screenshots"
    try:
        found = check_in_browser(html, shots, program)
    except BrowserError as error:
        return [f"the browser failed: {error}"]
    print(f"screenshots: {shots}")
    return found


def main(words: Sequence[str] | None = None) -> int:
    """Check the book of a tier, and say what is wrong."""
    arguments = _arguments(words)
    html = tier_layout(arguments.tier).html
    problems = check_site(html) + check_photographs(html) + unsupported_numbers(html)
    if not problems:
        problems = list(_browser_part(html, arguments.browser))
    for problem in problems:
        print(f"ntkd: {problem}", file=sys.stderr)
    pages = len(_own_pages(html))
    print(f"{len(problems)} problems on {pages} pages" if problems else f"{pages} pages in order")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
