"""Turn a tracked py:percent notebook into an `.ipynb` whose bytes depend on its source alone."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from ntkd_lib.lab.atomic import write_text
from ntkd_lib.lab.digest import sha256_bytes
from ntkd_lib.pipeline.errors import PipelineError
from ntkd_lib.pipeline.notebooks import NotebookSource

if TYPE_CHECKING:
    from nbformat import NotebookNode

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def read_percent(path: Path) -> "NotebookNode":
    """Read a py:percent file with stable cell ids and a Python kernel."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import jupytext

        notebook = jupytext.read(path, fmt="py:percent")
    tagged = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    if len(tagged) != 1:
        raise PipelineError(
            f"notebooks/{path.name} has {len(tagged)} cells tagged 'parameters'; one is needed"
        )
    notebook.metadata.pop("jupytext", None)
    notebook.metadata["kernelspec"] = dict(KERNEL)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return give_stable_ids(notebook)


def give_stable_ids(notebook: "NotebookNode") -> "NotebookNode":
    """Replace random cell ids by ones made of a cell's place and text."""
    for index, cell in enumerate(notebook.cells):
        cell["id"] = f"{index:03d}-{sha256_bytes(cell.source.encode())[:8]}"
    return notebook


def notebook_text(notebook: "NotebookNode") -> str:
    """Write a notebook as text."""
    import nbformat

    nbformat.validate(notebook)
    return nbformat.writes(notebook).rstrip("\n") + "\n"


def convert(source: NotebookSource, target: Path) -> None:
    """Write a notebook's unexecuted `.ipynb`, atomically."""
    write_text(target, notebook_text(read_percent(source.path)))
