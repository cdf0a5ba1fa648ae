"""The accessibility rules of axe-core, run in an open page."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.book.browser import Browser
from tests.setup.project import ROOT

RUN = """axe.run({resultTypes: ['violations'], preload: false}).then(result => result.violations.map(
  ({id, nodes: [first, ...rest]}) =>
  `axe: ${id}: ${rest.length + 1} times, first ${first.html.replace(/\\s+/g, ' ').slice(0, 120)}`))"""


@cache
def find_axe() -> Path | None:
    """Find axe-core's script: named by NTKD_AXE, or installed by npm below build/."""
    path = Path(os.environ.get("NTKD_AXE") or ROOT / "build/node_modules/axe-core/axe.min.js")
    return path if path.is_file() else None


def axe_problems(browser: Browser) -> Iterator[str]:
    """Run all rules on the open page, where axe-core is; a rule that is broken is named once."""
    if script := find_axe():
        browser.evaluate(script.read_text(encoding="utf-8") + ";0")
        yield from browser.evaluate(RUN)
