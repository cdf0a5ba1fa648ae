"""Clean an executed notebook of its machine; check that each cell ran, in order, and shows nothing live."""

import html
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nh3
from markdown_it import MarkdownIt

from ntkd_lib.lab.layout import build_root, project_root
from ntkd_lib.pipeline.errors import one_line
from ntkd_lib.pipeline.notebooks import KERNEL, give_stable_ids

if TYPE_CHECKING:
    from nbformat import NotebookNode

_KEPT_CELL_METADATA = ("tags", "slideshow")
_KEPT_METADATA = ("language_info", "ntkd", "title", "authors")
_TEXTS = ("text/plain", "text/html", "text/markdown", "text/latex")
_EMBEDDED = re.compile(r"(;base64,[A-Za-z0-9+/=]+)")
_PROGRESS = re.compile(r"\d+ of \d+ cells .*\n?")
_PATTERNS = (
    (re.compile(r"/ipykernel_\d+/\d+\.py"), "/cell"),
    (re.compile(r"/(?:home|Users)/[^/\s\"'<>]+"), "~"),
    (re.compile(r"\b0x[0-9a-fA-F]{6,16}\b"), "0x…"),
)
_RENDERED = ("text/html", "text/markdown", "text/latex", "image/svg+xml", "application/javascript")
_SHAPES = ("line", "rect", "text")
_SIZES = ("font-size", "height", "text-anchor", "width", "x", "x1", "x2", "y", "y1", "y2")
_ALLOWED: dict[str, Any] = {  # what tables, figures, sliders and folded text consist of
    "tags": nh3.ALLOWED_TAGS | {"input", "label", "output", "style", "svg", *_SHAPES},
    "attributes": nh3.ALLOWED_ATTRIBUTES
    | {tag: {"fill", "fill-opacity", "stroke", "stroke-dasharray", *_SIZES} for tag in _SHAPES}
    | {"svg": {"viewBox", "width", "height"}}
    | {"*": {"border", "class", "hidden", "id", "role", "scope", "style", "tabindex"}}
    | {"input": {"autocomplete", "max", "min", "step", "type", "value"}, "style": {"scoped"}},
    "clean_content_tags": {"script"},
    "generic_attribute_prefixes": {"aria-", "data-"},
    "url_schemes": {"data", "http", "https", "mailto"},
    "attribute_filter": lambda tag, _, value: None if value.startswith("data:") and tag != "img" else value,
    "link_rel": None,
}
_MARKED = re.compile(r"[<>&]")


def scrub(notebook: "NotebookNode", places: dict[str, str]) -> "NotebookNode":
    """Keep of a run only what the sources determine: no times, paths or random ids."""
    metadata = {key: notebook.metadata[key] for key in _KEPT_METADATA if key in notebook.metadata}
    notebook.metadata = type(notebook.metadata)(metadata | {"kernelspec": dict(KERNEL)})
    for cell in notebook.cells:
        _scrub_cell(cell, places)
    return give_stable_ids(notebook)


def machine_places(*extra: Path) -> dict[str, str]:
    """List the folders of this machine whose names must not get into a page."""
    folders = [(folder, "build") for folder in (*extra, build_root())]
    folders += [(project_root(), "."), (Path(sys.prefix), "PYTHON"), (Path(sys.base_prefix), "PYTHON")]
    folders += [(Path(tempfile.gettempdir()), "TMP"), (Path.home(), "~")]
    places = {str(form): to for folder, to in reversed(folders) for form in (folder, folder.resolve())}
    return {path: places[path] for path in sorted(places, key=len, reverse=True) if len(path) > 1}


def _scrub_cell(cell: "NotebookNode", places: dict[str, str]) -> None:
    tags = list(cell.metadata.get("tags", []))
    if "injected-parameters" in tags and "hide-input" not in tags:
        tags.append("hide-input")
    metadata = {key: cell.metadata[key] for key in _KEPT_CELL_METADATA if key in cell.metadata}
    cell.metadata = type(cell.metadata)(metadata | ({"tags": tags} if tags else {}))
    if "outputs" in cell:
        cell["outputs"] = [output for output in cell["outputs"] if not _is_progress(output)]
    for output in cell.get("outputs", []):
        _scrub_output(output, places)


def _is_progress(output: "NotebookNode") -> bool:
    """Tell lines about cells of work, which are for those who wait, not for those who read."""
    lines = "".join(output.get("text", "")).splitlines()
    return output.get("name") == "stderr" and all(_PROGRESS.fullmatch(line) for line in lines)


def _scrub_output(output: "NotebookNode", places: dict[str, str]) -> None:
    output.pop("transient", None)
    if "text" in output:
        output["text"] = without_machine(output["text"], places)
    for kind in _TEXTS:
        if kind in output.get("data", {}):
            output["data"][kind] = without_machine(output["data"][kind], places)
    clean, lost = sanitise(output.get("data", {}).get("text/html", ""))
    if clean and not lost:
        output["data"]["text/html"] = clean


def without_machine(text: Any, places: dict[str, str]) -> str:
    """Replace machine paths, user folders and memory addresses in a text."""
    pieces = _EMBEDDED.split("".join(text))
    pieces[::2] = [_replaced(piece, places) for piece in pieces[::2]]
    return "".join(pieces)


def _replaced(piece: str, places: dict[str, str]) -> str:
    for path, stand_in in places.items():
        prefix = "" if stand_in == "." else f"{stand_in}/"
        start = r"(?<![\w.~-])" + re.escape(path)
        piece = re.sub(start + "/", prefix, piece)
        piece = re.sub(start + r"(?![\w.-])", stand_in, piece)
    for pattern, stand_in in _PATTERNS:
        piece = pattern.sub(stand_in, piece)
    return piece


class _Tags(HTMLParser):
    """Count tags with the names of their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.counts: Counter[tuple[str, ...]] = Counter()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Count a tag."""
        self.counts[tag, *sorted(name for name, _ in attrs)] += 1


def sanitise(text: str) -> tuple[str, str]:
    """Reduce HTML to what a page may hold; return it with the first tag that was not allowed as it came."""
    clean = nh3.clean(text, **_ALLOWED)
    lost = _Tags(text).counts - _Tags(clean).counts
    return clean, f"<{' '.join(next(iter(lost)))}>" if lost else ""


def page_problems(notebook: "NotebookNode", parameters: Mapping[str, Any]) -> list[str]:
    """List what is wrong with an executed notebook."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    faults = [] if code else ["it has no code"]
    suspicious = [text for text in _texts(parameters) if _MARKED.search(text)]
    for number, cell in enumerate(code, start=1):
        faults += [f"cell {number}: {problem}" for problem in _cell_problems(cell, number, suspicious)]
    return faults


def _cell_problems(cell: "NotebookNode", number: int, suspicious: list[str]) -> Iterator[str]:
    if cell.execution_count is None:
        yield "did not run"
    elif cell.execution_count != number:
        yield f"ran out of order (as number {cell.execution_count})"
    for output in cell.outputs:
        yield from _output_problems(output, suspicious)


def _output_problems(output: "NotebookNode", suspicious: list[str]) -> Iterator[str]:
    if output.output_type == "error":
        yield f"failed: {one_line(f'{output.ename}: {output.evalue}')}"
    if output.get("name") == "stderr":
        yield f"wrote to stderr: {one_line(_joined(output.text))}"
    for kind in _RENDERED:
        shown = _joined(output.get("data", {}).get(kind, ""))
        if live := _live(kind, shown):
            yield f"shows live {kind} ({live})"
        yield from (f"shows the parameter value {html.escape(t)} unescaped" for t in suspicious if t in shown)


def _live(kind: str, shown: str) -> str:
    """Name what an output holds that a page may not; empty if nothing."""
    if kind in ("image/svg+xml", "application/javascript"):
        return f"{kind.partition('/')[2]}; show HTML or a PNG instead" if shown else ""
    if kind != "text/html":
        reader = MarkdownIt()
        reader.validateLink = lambda _: True  # links are checked like all else
        shown = reader.render(shown)
    return sanitise(shown)[1]


def _joined(text: object) -> str:
    return text if isinstance(text, str) else "".join(map(str, text)) if isinstance(text, list) else ""


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from (text for item in value.values() for text in _texts(item))
    elif isinstance(value, list | tuple):
        yield from (text for item in value for text in _texts(item))
