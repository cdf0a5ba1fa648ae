"""Check that every cell of an executed notebook ran, in order and cleanly, and that nothing in it is live."""

import html
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ntkd_lib.pipeline.errors import one_line

if TYPE_CHECKING:
    from nbformat import NotebookNode

_LIVE = re.compile(
    r"<\s*(script|iframe|object|embed|base|form)\b|<[^>]*\son\w+\s*=|javascript:", re.IGNORECASE
)
_RENDERED = ("text/html", "text/markdown", "text/latex", "image/svg+xml", "application/javascript")
_MARKED = re.compile(r"[<>&]")


def problems(notebook: "NotebookNode", parameters: Mapping[str, Any]) -> list[str]:
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
        if live := _LIVE.search(shown):
            yield f"shows live {kind} ({live.group(0)})"
        yield from (
            f"shows the parameter value {html.escape(text)} unescaped" for text in suspicious if text in shown
        )


def _joined(text: object) -> str:
    return text if isinstance(text, str) else "".join(map(str, text)) if isinstance(text, list) else ""


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from (text for item in value.values() for text in _texts(item))
    elif isinstance(value, list | tuple):
        yield from (text for item in value for text in _texts(item))
