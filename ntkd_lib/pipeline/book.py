"""The book: staged from prose and sealed notebooks, built aside, swapped in when it is right."""

import base64
import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from ntkd_lib.lab import changes, digest_json, environment, sha256_file, write_bytes, write_json, write_text
from ntkd_lib.lab.evidence import Evidence, load_evidence
from ntkd_lib.lab.layout import Layout, build_root, project_root, results_root, tier_layout
from ntkd_lib.lab.manifest import manifest_file, manifest_problems
from ntkd_lib.lab.sources import source_digest
from ntkd_lib.lab.verdicts import Verdict, all_verdicts, verdicts_on
from ntkd_lib.pipeline import pages
from ntkd_lib.pipeline.errors import PipelineError
from ntkd_lib.pipeline.kernel import library_path, matplotlib_settings
from ntkd_lib.pipeline.ledger import moved_table, stage_verdicts
from ntkd_lib.pipeline.notebooks import all_notebooks
from ntkd_lib.pipeline.numbers import Page, answers, recorded_runs
from ntkd_lib.pipeline.recorded import RECORDED_TIER, recorded_layout, recorded_run
from ntkd_lib.pipeline.seal import check_seal
from ntkd_lib.pipeline.workbench import exclusive

Chapters = Mapping[str, Layout]  # where each chapter's page lies: in the tier's layout or the recorded one

DIGEST = ".ntkd-digest"
_THEMES = ("sphinx-book-theme", "pydata-sphinx-theme")
TOOLS = ("jupyter-book", "sphinx", *_THEMES, "myst-nb", "sphinxcontrib-bibtex")
_HERE = "'self' file:"  # what 'self' is for a page that is opened from a folder differs between browsers
_INLINE = re.compile(r"<script(?![^>]*\ssrc=)[^>]*>(.*?)</script>", re.DOTALL)
_HEAD = re.compile(r"<head>\s*(<meta charset=[^>]*>)?")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
BUILD = "import sys; from jupyter_book.cli.main import main; sys.exit(main())"


def build_book(tier: str, say: Callable[[str], None] = print) -> Path:
    """Build the book of a tier, unless nothing changed; after a warning the earlier book stays."""
    layout = tier_layout(tier)
    with exclusive(layout.base / ".book.lock"):
        if changed := site_problems(layout):
            say(f"ntkd: {changed[0]} ({len(changed)} such files); the book is built again")
        _require_recorded()
        return _build(layout, tier, _chapters(layout, tier)) / "index.html"


def build_page(layout: Layout, notebook: str, tier: str) -> Path:
    """Build the small site of one rerun notebook, with the prose pages around it."""
    with exclusive(layout.base / ".book.lock"):
        _require_recorded()
        _require_seal(layout, notebook, tier)
        return _build(layout, tier, {notebook: layout}) / f"{notebook}.html"


def _chapters(layout: Layout, tier: str) -> Chapters:
    """Find each chapter's page: its own sealed run, else on tier cpu what is recorded of one."""
    pages = {source.name: layout for source in all_notebooks()}
    for name in pages:
        recorded = None
        if tier == RECORDED_TIER and not layout.seal(name).exists():
            recorded = recorded_layout(name)
        if recorded is None:
            _require_seal(layout, name, tier)
        pages[name] = recorded or layout
    return pages


def _require_seal(layout: Layout, notebook: str, tier: str) -> None:
    if problems := check_seal(layout, notebook):
        first = problems[0].removeprefix(f"{notebook}: ")
        command = f"ntkd run {notebook[:2]} --tier {tier}"
        raise PipelineError(f"notebook {notebook} has no valid seal ({first}); run: {command}")


def _require_recorded() -> None:
    for problem in manifest_problems() if manifest_file().is_file() else ():
        raise PipelineError(f"{problem} (restore it, or renew the manifest: python -m ntkd_lib.lab.manifest)")


def _build(layout: Layout, tier: str, notebooks: Chapters) -> Path:
    _contents(notebooks)
    if _old(layout.html).is_dir() and not layout.html.exists():  # stopped between the two steps of a swap
        _old(layout.html).rename(layout.html)
    digest = book_digest(layout, tier, notebooks)
    if _mark(layout.html).get("made_of") == digest and not site_problems(layout):
        return layout.html
    stage(layout, tier, notebooks)
    with tempfile.TemporaryDirectory(prefix=".book-", dir=layout.base) as folder:
        made = _render(layout, Path(folder))
        add_policy(made)
        write_json(made / DIGEST, {"made_of": digest, "files": _site_files(made)})
        _swap(made, layout.html)
    return layout.html


def site_problems(layout: Layout) -> list[str]:
    """List the files of a built book that are not as they were built."""
    if not layout.html.is_dir():
        return []
    words = {"missing": "is missing", "added": "was added", "changed": "was changed"}
    differences = changes(_mark(layout.html).get("files", {}), _site_files(layout.html))
    return [f"book: {name} {words[what]} after it was built" for name, what in differences]


def _site_files(html: Path) -> dict[str, str]:
    files = (path for path in sorted(html.rglob("*")) if path.is_file() and path != html / DIGEST)
    return {path.relative_to(html).as_posix(): sha256_file(path) for path in files}


def _mark(html: Path) -> dict[str, Any]:
    """Read what a book was made of and the hash of each of its files; nothing where that cannot be read."""
    with contextlib.suppress(OSError, ValueError):
        mark = json.loads((html / DIGEST).read_text(encoding="utf-8"))
        return mark if isinstance(mark, dict) and isinstance(mark.get("files"), dict) else {}
    return {}


def _inputs(layout: Layout, notebooks: Chapters) -> Iterator[Path]:
    root = project_root()
    yield from (root / name for name in ("_config.yml", "_toc.yml", "claims.yml", "CITATION.cff"))
    for folder in (root / "book", results_root(), layout.evidence("any").parent):
        yield from (path for path in sorted(folder.rglob("*")) if path.is_file())
    for name, place in notebooks.items():
        yield from (path for path in (place.seal(name), *pages.chapter_files(place, name)) if path.is_file())


def _label(path: Path, layout: Layout) -> str:
    """Name a file in a way that a moved project keeps."""
    bases = (layout.base, build_root(), project_root())
    return str(path.relative_to(next(base for base in bases if path.is_relative_to(base))))


def book_digest(layout: Layout, tier: str, notebooks: Chapters) -> str:
    """Digest everything that a book is made of."""
    files = {_label(path, layout): sha256_file(path) for path in _inputs(layout, notebooks)}
    versions = {tool: version(tool) for tool in TOOLS}
    made_by = source_digest([__name__, "ntkd_lib.pipeline.docstrings"])
    reference = [sha256_file(path) for path in pages.api_sources(pages.toc_pages(_contents(notebooks)))]
    made_of = {"files": files, "notebooks": list(notebooks), "reference": reference, "tier": tier}
    return digest_json({**made_of, "source": made_by, "versions": versions})


def stage(layout: Layout, tier: str, notebooks: Chapters) -> Path:
    """Gather the book's sources: prose, chapters with provenance, figures, settings."""
    root, site = project_root(), layout.site
    shutil.rmtree(site, ignore_errors=True)
    shutil.copytree(root / "book", site, ignore=shutil.ignore_patterns("_static"))
    shutil.copytree(root / "book" / "_static", site / "static")
    shutil.copyfile(root / "_config.yml", site / "_config.yml")
    contents = _contents(notebooks)
    write_text(site / "_toc.yml", yaml.safe_dump(contents, sort_keys=False))
    pages.stage_api_pages(site, pages.toc_pages(contents))
    runs = recorded_runs()
    for name, place in notebooks.items():
        own = _evidence(layout, name) if place == layout else recorded_run(name)
        _stage_chapter(layout, place, Page(name, tier, runs, own))
    for path in sorted(site.rglob("*.md")):
        page = Page(f"book/{path.relative_to(site)}", tier, runs)
        write_text(path, page.fill(path.read_text(encoding="utf-8")))
    recorded = sum(place != layout for place in notebooks.values())
    verdicts = _verdicts(layout, tier, notebooks)
    stage_verdicts(site / "static" / "downloads", verdicts, tier)
    fills = pages.landing_fills(verdicts, tier, [*notebooks], recorded)
    pages.fill_marks(site / "index.md", {"answers": answers(tier, runs), **fills})
    pages.fill_marks(site / "deviations.md", {"moved-verdicts": moved_table()})
    from ntkd_lib.pipeline.tangent_page import stage_tangent_page  # draws: the command line starts without

    with environment(matplotlib_settings()):
        stage_tangent_page(site, layout)
    return site


def _contents(notebooks: Collection[str]) -> dict[str, Any]:
    toc = yaml.safe_load((project_root() / "_toc.yml").read_text(encoding="utf-8"))
    listed = pages.toc_pages(toc)
    if homeless := [name for name in notebooks if name not in listed]:
        raise PipelineError(f"notebook {homeless[0]} is not in _toc.yml; add it there")
    return pages.chapters_only(toc, [page for page in listed if page[:2].isdigit() and page not in notebooks])


def _evidence(layout: Layout, notebook: str) -> Evidence | None:
    path = layout.evidence(notebook)
    return load_evidence(path) if path.is_file() else None


def _stage_chapter(layout: Layout, place: Layout, page: Page) -> None:
    name = page.name
    executed = place.executed(name).read_bytes()
    figures = pages.figure_names(place.figures(name))
    downloads = layout.site / "static" / "downloads" / name
    downloads.mkdir(parents=True)
    for path in pages.chapter_files(place, name):
        shutil.copyfile(path, downloads / path.name)
    chapter = pages.staged_chapter(executed, name, page.live, figures, page.fill)
    write_bytes(layout.site / f"{name}.ipynb", pages.drawings_beside(chapter, downloads))


def _verdicts(layout: Layout, tier: str, notebooks: Collection[str]) -> list[Verdict]:
    if layout == tier_layout(tier):
        return all_verdicts(tier)
    evidences = [_evidence(layout, name) for name in notebooks]
    return verdicts_on([evidence for evidence in evidences if evidence is not None])


def _render(layout: Layout, folder: Path) -> Path:
    site = layout.site.absolute()
    settings = ["--config", str(site / "_config.yml"), "--toc", str(site / "_toc.yml")]
    strict = ["-W", "-n", "--keep-going", "-q"]
    command = [sys.executable, "-P", "-c", BUILD, "build", str(site), "--path-output", str(folder.absolute())]
    plain = {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1", "NO_COLOR": "1"}
    environment = {**os.environ, **plain, "PYTHONPATH": library_path()}  # reference pages are of this library
    done = subprocess.run([*command, *settings, *strict], capture_output=True, text=True, env=environment)
    log = layout.base / "book.log"
    complaints = COLOUR.sub("", done.stderr)
    write_text(log, COLOUR.sub("", done.stdout) + complaints)
    made = folder / "_build" / "html"
    warnings = [line for line in complaints.splitlines() if "WARNING:" in line or "ERROR:" in line]
    if done.returncode or warnings or not (made / "index.html").is_file():
        raise PipelineError(_complaint(warnings or complaints.splitlines(), layout, site, log))
    return made


def _complaint(lines: Sequence[str], layout: Layout, site: Path, log: Path) -> str:
    first = next(filter(None, map(str.strip, lines)), "no message").replace(f"{site}{os.sep}", "")
    remark = "; the earlier book is kept" if layout.html.is_dir() else ""
    return f"the book was not built: {first} ({len(lines)} such lines in {log}){remark}"


def _old(html: Path) -> Path:
    return html.with_name(f".{html.name}-old")


def _swap(made: Path, html: Path) -> None:
    old = _old(html)
    shutil.rmtree(old, ignore_errors=True)
    if html.exists():
        html.rename(old)
    made.rename(html)
    shutil.rmtree(old, ignore_errors=True)


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
