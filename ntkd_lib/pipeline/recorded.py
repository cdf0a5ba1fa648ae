"""Recorded pages: what a run of tier cpu left, kept in `results/` for a book without data and training."""

import ast
import base64
import io
import json
import re
import shutil
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from ntkd_lib.data.files import unpack_tar
from ntkd_lib.lab import Layout, build_root, changes, load_claims, results_root, write_bytes, write_text
from ntkd_lib.lab.evidence import RERUN_FOLDER, Evidence, load_evidence, reference_evidence
from ntkd_lib.lab.manifest import renew_manifest
from ntkd_lib.lab.sources import SourceError, module_sources
from ntkd_lib.lab.verdicts import judge, source_of
from ntkd_lib.pipeline import notebooks
from ntkd_lib.pipeline.errors import PipelineError
from ntkd_lib.pipeline.pages import below_title
from ntkd_lib.pipeline.seal import check_seal, output_problems, read_seal
from ntkd_lib.show.html import INLINE_IMAGE, Html, element, fold, raw_block

if TYPE_CHECKING:
    from nbformat import NotebookNode

RECORDED_TIER = "cpu"
ENDING = ".tar.xz"
UNPACKED = 1 << 28  # bytes of a page at most
BITMAPS = ".png"  # ten times as large as the drawings; a live run makes them
MODULES = "modules.json"
FRESH = ("claim_box(", "show_recorded(")  # how cells begin that read `results/` and no run; a tag says it too
FIGURE = re.compile(r"^show(?:_slider)?\(\s*run,\s*\"([a-z0-9-]+)\"", re.MULTILINE)


def _place(name: str, ending: str) -> Path:
    return results_root() / RECORDED_TIER / f"{name}{ending}"


def keep_page(name: str) -> Path:
    """Record page and evidence of a run of tier cpu whose seal is valid, on real data and committed code."""
    source = notebooks.find_notebook(name)
    target = notebooks.target_of(source, RECORDED_TIER, {})
    again = f"ntkd run {source.name[:2]} --tier {RECORDED_TIER}"
    if problems := check_seal(target.layout, source.name):
        raise PipelineError(f"{problems[0]}; run: {again}")
    if source.is_summary:
        raise PipelineError(f"{source.name} has no numbers of its own; every book makes it anew")
    evidence = load_evidence(target.layout.evidence(source.name))
    _require_clean(evidence, again)
    roots = sorted({cell.work.partition(":")[0] for cell in target.cells})
    files = _page_files(target.layout, source.name)
    files[MODULES] = json.dumps([roots, module_sources(roots)]).encode()
    numbers, page = _place(source.name, ".json"), _place(source.name, ENDING)
    reruns = _keep_disputed(evidence, numbers)
    write_bytes(numbers, target.layout.evidence(source.name).read_bytes())
    write_bytes(page, _packed(files))
    renew_manifest(numbers, page, *reruns)
    return page


def _keep_disputed(evidence: Evidence, numbers: Path) -> list[Path]:
    """Keep the numbers that a run would replace as those of a rerun if the two leave a claim undecided."""
    earlier = recorded_run(evidence.notebook)
    claims = load_claims().claims if earlier else ()
    if not any(judge(each, [earlier, evidence]).status == "undecided" for each in claims):
        return []
    day = str(earlier.provenance["time"])[:16].replace(":", "")
    path = numbers.parent / RERUN_FOLDER / f"{evidence.notebook}.{day}.json"
    write_bytes(path, numbers.read_bytes())
    return [path]


def _require_clean(evidence: Evidence, command: str) -> None:
    origin = evidence.provenance
    if any(made["dirty"] is not False for made in (origin, origin["page"], *origin.get("made", []))):
        words = "it ran with uncommitted changes, or git could not tell"
        raise PipelineError(f"{evidence.notebook}: {words}; commit, then {command}")
    if standins := [name for name, state in evidence.data.items() if state.kind == "standin"]:
        raise PipelineError(f"{evidence.notebook}: recording needs the real {standins[0]}, found a stand-in")


def _page_files(layout: Layout, name: str) -> dict[str, bytes]:
    """Read a page's files by path; drawings inside the notebook become marks, for they lie beside it."""
    figures = [path for path in sorted(layout.figures(name).glob("*")) if path.suffix != BITMAPS]
    paths = [*figures, layout.seal(name), layout.evidence(name), layout.executed(name)]
    files = {path.relative_to(layout.base).as_posix(): path.read_bytes() for path in paths}
    return {**files, f"executed/{name}.ipynb": _swapped(layout, name, 1).encode()}


def _swapped(layout: Layout, name: str, step: int) -> str:
    """Replace drawings inside an executed notebook by marks, or with step -1 marks by their drawings."""
    text = layout.executed(name).read_text(encoding="utf-8")
    for path in sorted(layout.figures(name).glob("*.svg")):
        inline = INLINE_IMAGE + base64.b64encode(path.read_bytes()).decode("ascii")
        text = text.replace(*[inline, f"ntkd-figure:{path.name}"][::step])
    return text


def _packed(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:xz", preset=9) as archive:
        for name, content in sorted(files.items()):
            entry = tarfile.TarInfo(name)  # its date is fixed: 1970-01-01
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _unpack(name: str, layout: Layout) -> None:
    unpack_tar(_place(name, ENDING), layout.base, UNPACKED)
    write_text(layout.executed(name), _swapped(layout, name, -1))


def recorded_problems() -> Iterator[str]:
    """List recorded pages that are not what their run left; the manifest covers the bytes."""
    for path in sorted(_place("", "").glob(f"*{ENDING}")):
        try:
            problems = _problems(path.name.removesuffix(ENDING))
        except (OSError, ValueError, PipelineError) as error:
            problems = [f"cannot be read: {error}"]
        yield from (f"results/{RECORDED_TIER}/{path.name}: {problem}" for problem in problems)


def _problems(name: str) -> list[str]:
    """Compare a recorded page with its seal, bitmaps left out, and its evidence with that beside it."""
    with tempfile.TemporaryDirectory() as folder:
        layout, beside = Layout(Path(folder)), _place(name, ".json")
        _unpack(name, layout)
        lines = output_problems(read_seal(layout.seal(name)), layout)
        same = beside.is_file() and beside.read_bytes() == layout.evidence(name).read_bytes()
    other = [] if same else [f"its evidence is not that of results/{RECORDED_TIER}/{beside.name}"]
    return [line for line in lines if f"{BITMAPS} is missing" not in line] + other


def recorded_run(name: str) -> Evidence | None:
    """Find the evidence of a chapter's recorded run of tier cpu."""
    return next((each for each in reference_evidence() if each.notebook == name), None)


def recorded_layout(name: str) -> Layout | None:
    """Lay out a chapter's recorded run, if there is one: today's text with the outputs of unchanged cells."""
    if (evidence := recorded_run(name)) is None:
        return None
    layout, outputs = Layout(build_root() / "recorded"), None
    shutil.rmtree(layout.figures(name), ignore_errors=True)
    if _place(name, ENDING).is_file():
        _unpack(name, layout)
        outputs = _outputs(layout, name)
    own = {"evidence": evidence, "run": SimpleNamespace(notebook=name, layout=layout)}
    page, gaps = _composed(notebooks.find_notebook(name), outputs, own)
    first = next(cell for cell in page.cells if cell.cell_type == "markdown")
    changed = [] if outputs is None else _changed_modules(layout)
    first.source = below_title(first.source, raw_block(_notice(evidence, changed, gaps)))
    write_text(layout.executed(name), notebooks.notebook_text(page))
    return layout


def _outputs(layout: Layout, name: str) -> dict[str, list[Any]]:
    import nbformat

    executed = nbformat.read(layout.executed(name), as_version=4)
    return {_shown(cell.source): cell.outputs for cell in executed.cells if cell.cell_type == "code"}


def _shown(source: str) -> str:
    """Tell cells apart: by the name of the figure that they show, else by their code."""
    figure = FIGURE.search(source)
    return figure[1] if figure else source


def _composed(
    source: notebooks.NotebookSource, outputs: Mapping[str, list[Any]] | None, own: Mapping[str, Any]
) -> tuple["NotebookNode", int]:
    """Put recorded outputs into today's notebook; hidden cells that lack theirs are left out and counted."""
    notebook = notebooks.read_percent(source.path)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    names = {**_imported(cell.source for cell in code), **own}
    for cell in code:
        cell.outputs = _fresh(cell, names) or (outputs or {}).get(_shown(cell.source), [])
    shown = [cell for cell in notebook.cells if not _is_gap(cell, outputs or {})]
    gaps, notebook.cells = len(notebook.cells) - len(shown), shown
    notebook.metadata["language_info"] = {"name": "python"}
    return notebook, gaps


def _imported(sources: Iterable[str]) -> dict[str, Any]:
    """Import what a notebook's cells import."""
    names: dict[str, Any] = {}
    for node in (node for source in sources for node in ast.parse(source).body):
        if isinstance(node, ast.Import | ast.ImportFrom):
            exec(ast.unparse(node), names)
    return names


def _fresh(cell: "NotebookNode", names: dict[str, Any]) -> list[Any]:
    """Make the output of a cell that rests on `results/` alone: verdicts and recorded numbers are today's."""
    if not cell.source.startswith(FRESH) and "recorded" not in cell.metadata.get("tags", []):
        return []
    from nbformat.v4 import new_output

    *before, last = ast.parse(cell.source).body
    exec(ast.unparse(ast.Module(before, [])), names)
    return [new_output("display_data", {"text/html": eval(ast.unparse(last), names)._repr_html_()})]


def _is_gap(cell: "NotebookNode", outputs: Mapping[str, Any]) -> bool:
    """Tell a cell whose code is hidden and whose output is not recorded."""
    if cell.cell_type != "code" or cell.outputs or _shown(cell.source) in outputs:
        return False
    last = ast.parse(cell.source).body[-1]
    return "hide-input" in cell.metadata.get("tags", []) and isinstance(last, ast.Expr)


def _notice(evidence: Evidence, changed: Sequence[str], gaps: int) -> Html:
    """Say when and where the numbers were recorded; a fold lists the code behind them that changed since."""
    source, commit = source_of(evidence), str(evidence.provenance.get("commit"))[:8]
    lack = f"; {gaps} of its figures and tables are not recorded" if gaps else ""
    words = f"Recorded on {source.date} with {source.device}, commit {commit}{lack}. To run it here: "
    noun, verb = ("module", "has") if len(changed) == 1 else ("modules", "have")
    title = f"{len(changed)} {noun} behind its numbers {verb} changed since"
    modules = fold(title, ", ".join(changed), class_=None) if changed else ""
    command = element("code", f"ntkd run {evidence.notebook[:2]}")
    return element("div", words, command, modules, class_="ntkd-banner", role="note")


def _changed_modules(layout: Layout) -> list[str]:
    """List the modules behind the numbers of an unpacked page that changed since its run."""
    roots, then = json.loads((layout.base / MODULES).read_bytes())
    try:
        now = module_sources(roots, fresh=True)
    except SourceError:  # a module of work is gone
        now = {}
    return [name.removeprefix("ntkd_lib.") for name, what in changes(then, now) if what != "added"]
