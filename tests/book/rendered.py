"""Read the prose of built pages, and list the numbers in it that no evidence stands behind."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

from tests.book.literals import literals

# numbers that are bound to evidence, the paper's and the set-up's; and what is made of evidence, not written
SUPPORTED = {"ntkd-bound", "ntkd-paper", "ntkd-setup", "ntkd-banner", "ntkd-small", "cell"}
NO_PROSE = {"table", "figure", "pre", "code", "script", "style", "details", "dl", "nav", "h1"} | {"title"}
OTHER = {"math", "headerlink", "bibtex"}
EMPTY = {"br", "hr", "img", "input", "link", "meta", "wbr", "col", "source"}
GENERATED = ("tangent_kernel", "bibliography", "genindex", "search")  # from the benchmark, and by Sphinx


class _Prose(HTMLParser):
    """Collects the text of an article; what is supported, or no prose, becomes a sign."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[tuple[str, bool]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = set(str(dict(attrs).get("class")).split())
        if tag not in EMPTY:
            self.open.append((tag, tag in NO_PROSE or bool(names & (SUPPORTED | OTHER))))
        self.text += ["\n\n"] if tag in ("p", "li") else []

    def handle_endtag(self, tag: str) -> None:
        while tag not in EMPTY and self.open and self.open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        if any(tag == "article" for tag, _ in self.open):
            self.text.append(" § " if any(closed for _, closed in self.open) else data)


def unsupported_numbers(html: Path) -> list[str]:
    """List the measured literals in the prose of all pages of a built book, the reference left out."""
    problems = []
    for path in sorted(html.glob("*.html")):
        if path.stem not in GENERATED:
            reader = _Prose()
            reader.feed(path.read_text(encoding="utf-8"))
            words = literals("".join(reader.text))
            problems += [f"{path.name}: a number that no evidence holds: … {word} …" for word in words]
    return problems
