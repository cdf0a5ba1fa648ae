"""Turn a tracked py:percent notebook into an `.ipynb` whose bytes depend on its source alone."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from ntkd_lib.pipeline.errors import PipelineError
from ntkd_lib.pipeline.notebooks import NotebookSource
from ntkd_lib.records.atomic import write_text
from ntkd_lib.records.digest import sha256_bytes

if TYPE_CHECKING:
    from nbformat import NotebookNode

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def read_percent(path: Path) -> "NotebookNode":
    """Read a py:percent file with stable cell ids and a Python kernel.

    Args:
        path: the tracked file.

    Returns:
        an unexecuted notebook.

    Raises:
        PipelineError: if it has not exactly one cell tagged `parameters`.
    """
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
    """Replace random cell ids by ones made of a cell's place and text.

    Args:
        notebook: changed in place.

    Returns:
        the same notebook.
    """
    for index, cell in enumerate(notebook.cells):
        cell["id"] = f"{index:03d}-{sha256_bytes(cell.source.encode())[:8]}"
    return notebook


def notebook_text(notebook: "NotebookNode") -> str:
    """Write a notebook as text.

    Args:
        notebook: in format 4.5.

    Returns:
        valid `.ipynb` JSON with a final newline.
    """
    import nbformat

    nbformat.validate(notebook)
    return nbformat.writes(notebook).rstrip("\n") + "\n"


def convert(source: NotebookSource, target: Path) -> None:
    """Write a notebook's unexecuted `.ipynb`, atomically.

    Args:
        source: the tracked notebook.
        target: the file to write.
    """
    write_text(target, notebook_text(read_percent(source.path)))
