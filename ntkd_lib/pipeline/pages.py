"""Pages of the book: what staging writes into chapters and the landing page, and the packages' reference."""

import ast
import base64
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import yaml

from ntkd_lib.imports import stub_homes
from ntkd_lib.lab import LIBRARY, Evidence, Layout, Verdict, project_root, write_bytes, write_text
from ntkd_lib.lab.digest import sha256_bytes
from ntkd_lib.pipeline.errors import PipelineError
from ntkd_lib.pipeline.ledger import NAME, SCHEMA, NumberPair, moved_words, pair_numbers
from ntkd_lib.show.claims import SCOREBOARD, banner, count_table
from ntkd_lib.show.firmness import coverage_table, holm_notes
from ntkd_lib.show.headlines import headline_table
from ntkd_lib.show.html import INLINE_IMAGE, Html, definitions, element, fold, join, raw_block, table
from ntkd_lib.show.numbers import NONE

TITLE = re.compile(r"^# .*$", re.MULTILINE)
DOWNLOADS = "_static/downloads"
DRAWING = re.compile(rb'src=\\"' + re.escape(INLINE_IMAGE).encode() + rb'([A-Za-z0-9+/=]+)\\"')
FACTS = {
    "time": "Time (UTC)",
    "python": "Python",
    "platform": "System",
    "cpu": "Processor",
    "device": "Device",
    "threads": "Threads",
}
COSTS = {"seconds": ("Duration", "{:,.1f} s"), "peak_memory_mib": ("Peak memory", "{:,.0f} MiB")}
_FORMS = {f"{end.upper()}, {tone}": f"{tone}.{end}" for end in ("svg", "png") for tone in ("light", "dark")}
FIGURE_FORMS = {**_FORMS, "CSV, the data": "csv"}
KINDS = {"svg": "Vector", "png": "Bitmap", "csv": "Numbers"}
_LIBRARY = Path(__file__).resolve().parents[1]
_DIRECTIVES = {ast.ClassDef: "autoclass", ast.FunctionDef: "autofunction"}


def _plain(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_plain(inner)}" for name, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_plain(inner) for inner in value)
    return NONE if value is None else str(value)


def _commit(provenance: Mapping[str, Any]) -> str:
    commit = str(provenance.get("commit") or "not under version control")
    return f"{commit}, with uncommitted changes" if provenance.get("dirty") else commit


def _data(evidence: Evidence) -> Html:
    kinds = {"standin": "stand-in, ", "real": ""}
    lines = [
        element("div", f"{name} ({kinds[state.kind]}{state.source}): ", element("code", state.sha256))
        for name, state in sorted(evidence.data.items())
    ]
    return join(lines) if lines else Html("none")


def provenance_box(evidence: Evidence) -> Html:
    """List where a chapter's numbers come from."""
    origin = evidence.provenance
    seeds = sorted({seed for metric in evidence.metrics.values() for seed in metric.seeds})
    facts: dict[str, object] = {
        "Commit": element("code", _commit(origin)),
        "Command": element("code", origin.get("command") or "not known"),
        "Tier": evidence.tier if evidence.standard else f"{evidence.tier}, with changed parameters",
        "Parameters": element("code", json.dumps(evidence.parameters, sort_keys=True)),
        "Seeds": _plain(seeds) or "none used",
        "Data (SHA-256)": _data(evidence),
    }
    facts |= {title: _plain(origin[name]) for name, title in FACTS.items() if origin.get(name) is not None}
    facts |= {"Versions": _plain(origin.get("versions"))} if origin.get("versions") else {}
    facts |= {t: form.format(origin[n]) for n, (t, form) in COSTS.items() if origin.get(n) is not None}
    made = origin.get("made", [])
    facts |= {"Cells of work": join([_origin(origin) for origin in made])} if len(made) > 1 else {}
    facts |= {"Page executed": _origin(origin["page"])} if made and "page" in origin else {}
    return definitions(facts)


def _origin(origin: Mapping[str, Any]) -> Html:
    """Say in a line which code made something, when, where, and with which libraries."""
    when = origin.get("time") or f"{origin['cells']} cells, {origin['first']} to {origin['last']}"
    threads, python = f"{origin.get('threads')} thread(s)", f"Python {origin.get('python')}"
    where = [origin.get(name) for name in ("platform", "cpu", "device")]
    facts = [when, f"commit {_commit(origin)}", *where, threads, python, _plain(origin.get("versions"))]
    return element("div", ", ".join(str(fact) for fact in facts if fact))


def figure_names(folder: Path) -> list[str]:
    """Name the published figures of a chapter."""
    return sorted(path.stem for path in folder.glob("*.json"))


def downloads_box(notebook: str, figures: Sequence[str], *, recorded: bool = False) -> Html:
    """Offer the executed notebook and the files of every figure; a recorded page has no bitmaps."""
    address = f"{DOWNLOADS}/{notebook}/{notebook}.ipynb"
    link = element("p", element("a", "The executed notebook (.ipynb)", href=address, download=True))
    if notebook == SCOREBOARD:
        words = {f"{DOWNLOADS}/{NAME}": "All verdicts (JSON)", f"_static/{SCHEMA}": "its JSON schema"}
        files = (element("a", text, href=address, download=True) for address, text in words.items())
        link = join([link, element("p", join(files, ", "))])
    forms = {words: end for words, end in FIGURE_FORMS.items() if not (recorded and end.endswith("png"))}
    return join([link, figure_table(notebook, figures, forms)]) if figures else link


def figure_table(page: str, figures: Sequence[str], forms: Mapping[str, str] = FIGURE_FORMS) -> Html:
    """Offer the files of every figure of a page."""

    def link(name: str, end: str, words: str) -> Html:
        return element("a", words, href=f"{DOWNLOADS}/{page}/{name}.{end}", download=True)

    rows = [(name, *(link(name, end, words) for words, end in forms.items())) for name in figures]
    headers = ("Figure", *(KINDS[end[-3:]] for end in forms.values()))
    return table(headers, rows, caption="Files of the figures")


def citation(evidence: Evidence, title: str) -> Html:
    """Fold words and a BibTeX entry that cite a chapter's results."""
    book = yaml.safe_load((project_root() / "CITATION.cff").read_text(encoding="utf-8"))
    date, commit = str(evidence.provenance.get("time"))[:10], _commit(evidence.provenance)
    authors = " and ".join(author["name"] for author in book["authors"])
    place = f"{book['title']}, version {book['version']}, page {evidence.notebook}"
    made = f"{'recorded' if evidence.recorded else 'run'} {date}, commit {commit}"
    names = ("author", "title", "howpublished", "year", "note")
    fields = dict(zip(names, (f"{{{authors}}}", title, place, date[:4], made), strict=True))
    lines = [f"  {name} = {{{text}}}" for name, text in fields.items()]
    entry = ",\n".join([f"@misc{{ntkd-{evidence.notebook[:2]}", *lines]).replace("_", r"\_") + "\n}"
    words = element("p", f"{authors}: “{title}” In: {place}, {made}.")
    return fold("Cite this result", words, element("pre", entry, tabindex="0"))


def chapter_end(evidence: Evidence | None, notebook: str, figures: Sequence[str], title: str) -> str:
    """Write the last section of a chapter."""
    parts = ["## Provenance\n"] if evidence is not None else []
    parts += [raw_block(provenance_box(evidence)), raw_block(citation(evidence, title))] if evidence else []
    parts += [raw_block(pairs_box(pairs))] if evidence and (pairs := pair_numbers(evidence)) else []
    box = downloads_box(notebook, figures, recorded=evidence is not None and evidence.recorded)
    return "\n".join([*parts, "## Downloads\n", raw_block(box)])


def pairs_box(pairs: Sequence[NumberPair]) -> Html:
    """Fold a table of live numbers beside the recorded ones."""
    words = moved_words(pairs)
    headers = ("Number", "Recorded (95 % interval)", "Here", "Difference", "Interval")
    shown = table(headers, pairs, caption=f"Recorded and live: {words}")
    return fold(f"Beside the recorded run, {words}", shown)


def below_title(source: str, block: str) -> str:
    """Insert a block below the title of a page."""
    return TITLE.sub(lambda title: f"{title[0]}\n\n{block}", source, count=1)


def staged_chapter(
    page: bytes, name: str, evidence: Evidence | None, figures: list[str], fill: Callable[[str], str] = str
) -> bytes:
    """Fill the numbers of a chapter's prose; add banner, provenance and downloads."""
    notebook = json.loads(page)
    prose = [cell for cell in notebook["cells"] if cell["cell_type"] == "markdown"]
    for cell in prose:
        cell["source"] = fill("".join(cell["source"]))
    opening = next((cell for cell in prose if TITLE.search(cell["source"])), None)
    if opening is None:
        raise ValueError(f"notebook {name} has no title; a Markdown cell must begin with '# '")
    if evidence is not None and (notice := banner(evidence)):
        opening["source"] = below_title(opening["source"], raw_block(notice))
    title = TITLE.search(opening["source"])[0].removeprefix("# ")
    end = {"cell_type": "markdown", "id": "ntkd-chapter-end", "metadata": {}}
    notebook["cells"].append({**end, "source": chapter_end(evidence, name, figures, title)})
    return (json.dumps(notebook, indent=1, ensure_ascii=False) + "\n").encode("utf-8")


def drawings_beside(chapter: bytes, folder: Path) -> bytes:
    """Put the drawings inside a chapter's outputs into files, which a browser loads once it shows them."""
    names = {sha256_bytes(path.read_bytes()): path.name for path in folder.glob("*.svg")}

    def linked(match: re.Match[bytes]) -> bytes:
        drawing = base64.b64decode(match[1])
        name = names.setdefault(digest := sha256_bytes(drawing), f"frame-{digest[:12]}.svg")
        write_bytes(folder / name, drawing)
        return rf"loading=\"lazy\" src=\"{DOWNLOADS}/{folder.name}/{name}\"".encode()

    return DRAWING.sub(linked, chapter)


def landing_fills(
    verdicts: Sequence[Verdict], tier: str, chapters: Sequence[str], recorded: int = 0
) -> dict[str, str]:
    """Make what the marks of the landing page are filled with; some chapters may show recorded runs."""
    made = f"This copy was made at tier *{tier}* ({{ref}}`what the tiers are <tiers>`)."
    count = element("span", recorded, class_="ntkd-setup")
    part = f" {count} of its chapters show recorded runs, and say so; `make reproduce` makes them live."
    return {
        "tier": made + part if recorded else made,
        "headlines": raw_block(headline_table(verdicts, holm_notes(verdicts))),
        "scoreboard-link": f"{{doc}}`{SCOREBOARD}` lists every claim." if SCOREBOARD in chapters else "",
        "counts": raw_block(count_table(verdicts)),
        "coverage": raw_block(coverage_table()),
    }


def fill_marks(page: Path, fills: Mapping[str, str]) -> None:
    """Replace each mark ``<!-- ntkd:NAME -->`` of a staged page."""
    text = page.read_text(encoding="utf-8")
    for name, fill in fills.items():
        mark = f"<!-- ntkd:{name} -->"
        if mark not in text:
            raise PipelineError(f"book/{page.name} lacks the mark {mark}")
        text = text.replace(mark, fill)
    write_text(page, text)


def chapters_only(toc: Mapping[str, Any], missing: Iterable[str]) -> dict[str, Any]:
    """Drop the notebooks that do not exist yet from a table of contents, and parts left empty."""
    gone = set(missing)
    parts = [
        {**part, "chapters": [page for page in part["chapters"] if page["file"] not in gone]}
        for part in toc["parts"]
    ]
    return {**toc, "parts": [part for part in parts if part["chapters"]]}


def toc_pages(toc: Mapping[str, Any]) -> list[str]:
    """List the pages of a table of contents, those of sections included."""
    chapters = [page for part in toc["parts"] for page in part["chapters"]]
    files = ([page["file"], *(inner["file"] for inner in page.get("sections", ()))] for page in chapters)
    return [toc["root"], *chain.from_iterable(files)]


def chapter_files(layout: Layout, notebook: str) -> list[Path]:
    """List the files that a chapter offers for download."""
    folder = layout.figures(notebook)
    figures = [folder / f"{name}.{end}" for name in figure_names(folder) for end in FIGURE_FORMS.values()]
    return [layout.executed(notebook), *(path for path in figures if path.is_file())]


def api_sources(pages: Iterable[str]) -> list[Path]:
    """List the library's files that the reference pages among some pages are made of."""
    folders = [_LIBRARY / package for package in _packages(pages)]
    return [path for folder in folders for end in ("py", "pyi") for path in sorted(folder.rglob(f"*.{end}"))]


def stage_api_pages(site: Path, pages: Iterable[str]) -> None:
    """Write the reference page of each package that the table of contents lists as `api/<package>`."""
    for package in _packages(pages):
        write_text(site / "api" / f"{package}.md", api_page(package))


def api_page(package: str) -> str:
    """Write a package's reference page: a section per module that exports names or builds an objective."""
    init, full_name = _LIBRARY / package / "__init__.py", f"{LIBRARY}.{package}"
    homes = stub_homes(init)
    sections = [
        _section(full_name, module, directives, homes)
        for module, directives in _modules(_LIBRARY / package)
        if f"{full_name}.{module}" in homes.values() or "build" in directives
    ]
    return "\n\n".join([f"# {full_name}", str(ast.get_docstring(_parse(init))), *sections]) + "\n"


def _packages(pages: Iterable[str]) -> list[str]:
    names = (page.removeprefix("api/") for page in pages if page.startswith("api/"))
    return [name for name in names if name != "index"]


def _parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _modules(folder: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield each module of a package with the directive of each of its public definitions."""
    for path in sorted(folder.rglob("*.py")):
        definitions = (node for node in _parse(path).body if type(node) in _DIRECTIVES)
        directives = {node.name: _DIRECTIVES[type(node)] for node in definitions if node.name[0] != "_"}
        yield ".".join(path.relative_to(folder).with_suffix("").parts), directives


def _section(package: str, module: str, directives: dict[str, str], homes: dict[str, str]) -> str:
    """Document a module's exported names by their short path; if it exports none, all that it defines."""
    exported = [name for name in directives if homes.get(name) == f"{package}.{module}"]
    path, names = (package, exported) if exported else (f"{package}.{module}", list(directives))
    lines = [f".. automodule:: {package}.{module}", ""]
    for name in names:
        members = ["   :members:"] if directives[name] == "autoclass" else []
        lines += [f".. {directives[name]}:: {path}.{name}", *members, ""]
    return "\n".join([f"## {module}", "", "```{eval-rst}", *lines, "```"])
