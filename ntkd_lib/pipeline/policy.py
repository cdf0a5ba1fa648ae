"""A Content-Security-Policy in every page: scripts of the builder run, those of a page's content never."""

import base64
import hashlib
import re
from pathlib import Path

from ntkd_lib.lab.atomic import write_text

_HERE = "'self' file:"  # what 'self' is for a page that is opened from a folder differs between browsers
_INLINE = re.compile(r"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", re.DOTALL)
_HEAD = re.compile(r"<head>\s*(<meta charset=[^>]*>)?")


def content_policy(page: str) -> str:
    """Write a page's policy: files beside it, and inline scripts outside of its article, by their hash."""
    content = slice(page.find("<article"), page.rfind("</article>"))
    frame = page[: content.start] + page[content.stop :] if content.start >= 0 else page
    digests = (hashlib.sha256(script.encode()).digest() for script in _INLINE.findall(frame))
    hashes = sorted({f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests})
    rules = {
        "default-src": "'none'",
        "script-src": " ".join([_HERE, *hashes]),
        "style-src": f"{_HERE} 'unsafe-inline'",  # MathJax and the theme's icons add style sheets
        "img-src": f"{_HERE} data:",
        "font-src": f"{_HERE} data:",
        "base-uri": "'none'",
        "form-action": _HERE,
    }
    return "; ".join(f"{name} {sources}" for name, sources in rules.items())


def add_policy(html: Path) -> None:
    """Write its policy into each page of a built book, before anything that it loads."""
    for path in sorted(set(html.rglob("*.html")) - set((html / "_static").rglob("*"))):
        page = path.read_text(encoding="utf-8")
        meta = f'\n<meta http-equiv="Content-Security-Policy" content="{content_policy(page)}">'
        start = _HEAD.search(page).end()
        write_text(path, page[:start] + meta + page[start:])
