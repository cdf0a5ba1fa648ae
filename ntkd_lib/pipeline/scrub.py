"""Take out of an executed notebook what tells of the machine it ran on: paths, names, times, addresses."""

import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ntkd_lib.lab.layout import build_root, project_root
from ntkd_lib.pipeline.convert import KERNEL, give_stable_ids

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


def without_machine(text: Any, places: dict[str, str]) -> str:
    """Replace machine paths, user folders and memory addresses in a text.

    >>> without_machine("<A at 0x7f00deadbeef> in /home/eve/x", {})
    '<A at 0x…> in ~/x'
    """
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
