"""Let papermill read tracked notebooks: `papermill jupytext://notebooks/01_….py out.ipynb -p seed 3`."""

from pathlib import Path
from typing import NoReturn

from ntkd_lib.pipeline.notebooks import notebook_text, read_percent

SCHEME = "jupytext://"


class JupytextHandler:
    """Reads py:percent files as notebooks; papermill finds it through its entry point `papermill.io`."""

    @classmethod
    def read(cls, path: str) -> str:
        """Read a tracked notebook."""
        return notebook_text(read_percent(Path(path.removeprefix(SCHEME))))

    @classmethod
    def write(cls, buf: str, path: str) -> NoReturn:
        """Refuse to write: results never go back into a tracked notebook."""
        raise OSError(f"cannot write {len(buf)} characters to {path}: name an .ipynb file for the output")

    @classmethod
    def pretty_path(cls, path: str) -> str:
        """Show a path as it was given."""
        return path
