"""Find the tracked notebooks, read them, and validate the parameters of a run."""

import importlib
import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import yaml

from ntkd_lib.chapters.run import planned_cells
from ntkd_lib.lab import Cell, SourceError, digest_json, sha256_bytes, source_digest
from ntkd_lib.lab.layout import Layout, project_root, run_layout, tier_layout
from ntkd_lib.lab.parameters import Parameters, changed_from_tier, load_parameters
from ntkd_lib.pipeline.errors import PipelineError, nearest, one_line

if TYPE_CHECKING:
    from nbformat import NotebookNode

Declared = TypeVar("Declared")
PATTERN = "[0-9][0-9]_*.py"
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
_FENCE = "# ---"
_REWRITTEN = ("jupytext", "kernelspec", "language_info")


@dataclass(frozen=True)
class NotebookSource:
    """A tracked notebook."""

    name: str  # of its file, without ending
    path: Path
    chapter: str  # dotted name of the package that holds its parameters and its plan

    @property
    def is_summary(self) -> bool:
        """True for notebooks that only read the evidence of the others; they run last."""
        return self.name.startswith("00_")

    @property
    def shown_path(self) -> str:
        """The path from the project's root, as messages name it."""
        return f"notebooks/{self.path.name}"


def all_notebooks() -> list[NotebookSource]:
    """List the project's notebooks in the order they run: by number, summaries last."""
    sources = [read_header(path) for path in sorted(_folder().glob(PATTERN))]
    return sorted(sources, key=lambda notebook: (notebook.is_summary, notebook.name))


def find_notebook(name: str) -> NotebookSource:
    """Find a notebook by its number, its name or its file."""
    names = [path.stem for path in sorted(_folder().glob(PATTERN))]
    if not names:
        raise PipelineError(f"there is no notebook in {_folder()} (expected NN_name.py)")
    stem = Path(name).stem
    number = f"{int(stem):02d}_" if stem.isdecimal() and stem.isascii() else None
    matches = [other for other in names if other == stem or (number and other.startswith(number))]
    if len(matches) != 1:
        problem = "unknown notebook" if not matches else "more than one notebook is called"
        raise PipelineError(f"{problem} {name!r}: there are {', '.join(names)}{nearest(stem, names)}")
    return read_header(_folder() / f"{matches[0]}.py")


def choose(kind: str, notebook: str, declared: Mapping[str, Declared], name: str | None) -> Declared:
    """Choose what a notebook's chapter declares by name; the name may be left out if there is only one."""
    if not declared:
        raise PipelineError(f"notebook {notebook} has no {kind}")
    name = next(iter(declared)) if name is None and len(declared) == 1 else name
    if name not in declared:
        what = kind.rsplit(maxsplit=1)[-1]
        raise PipelineError(f"{what} {name!r} of {notebook}: allowed: {', '.join(declared)}")
    return declared[name]


def _folder() -> Path:
    folder = project_root() / "notebooks"
    if not folder.is_dir():
        came = f"there is no checkout of the project in {project_root()}"
        raise PipelineError(f"{came}: work in one, or name it in NTKD_ROOT")
    return folder


def read_header(path: Path) -> NotebookSource:
    """Read which chapter a notebook shows from its jupytext header."""
    metadata: Any = _header(path)
    for key in ("jupyter", "ntkd", "chapter"):
        metadata = metadata.get(key) if isinstance(metadata, dict) else None
    if not isinstance(metadata, str) or not all(part.isidentifier() for part in metadata.split(".")):
        needs = "its header needs jupyter: ntkd: chapter: PACKAGE"
        raise PipelineError(f"notebooks/{path.name} names no chapter; {needs}")
    return NotebookSource(path.stem, path, metadata)


def _header(path: Path) -> object:
    lines = path.read_text(encoding="utf-8").splitlines()
    if not lines or lines[0] != _FENCE or _FENCE not in lines[1:]:
        raise PipelineError(f"notebooks/{path.name} has no jupytext header between '# ---' lines")
    body = lines[1 : lines.index(_FENCE, 1)]
    try:
        return yaml.safe_load("\n".join(line.removeprefix("#").removeprefix(" ") for line in body))
    except yaml.YAMLError as error:
        raise PipelineError(f"notebooks/{path.name} has a header not in YAML: {one_line(error)}") from error


def source_hash(notebook: NotebookSource) -> str:
    """Hash a notebook's source, less the lines of its header that Jupyter and jupytext rewrite."""
    header: Any = _header(notebook.path)
    lines = notebook.path.read_text(encoding="utf-8").splitlines()
    body = lines[lines.index(_FENCE, 1) + 1 :]
    own = {name: value for name, value in header["jupyter"].items() if name not in _REWRITTEN}
    return sha256_bytes(json.dumps([own, body], sort_keys=True, default=str).encode())


def parameters_model(notebook: NotebookSource) -> type[Parameters]:
    """Import the notebook's parameter schema; needs no torch."""
    model = _attribute(notebook, "parameters", "PARAMETERS")
    if not (isinstance(model, type) and issubclass(model, Parameters)):
        raise PipelineError(f"{notebook.chapter}.parameters.PARAMETERS is not a Parameters class")
    return model


def _attribute(notebook: NotebookSource, module: str, name: str) -> Any:
    dotted = f"{notebook.chapter}.{module}"
    try:
        return getattr(importlib.import_module(dotted), name)
    except ModuleNotFoundError as error:
        if error.name is None or not dotted.startswith(error.name):
            raise
        came = f"{notebook.shown_path} names the chapter {notebook.chapter}"
        raise PipelineError(f"{came}, but there is no module {error.name}") from error
    except AttributeError as error:
        raise PipelineError(f"{dotted} has no {name!r}") from error


def code_digest(notebook: NotebookSource, *, fresh: bool = False) -> str:
    """Hash the library and chapter code that a notebook depends on, except for its cells' work."""
    named = [f"{notebook.chapter}.{part}" for part in ("parameters", "plan")]
    try:
        return source_digest(named, script=notebook.path, fresh=fresh)
    except SourceError as error:
        raise PipelineError(str(error).replace("module '__main__'", notebook.shown_path)) from error


@dataclass(frozen=True)
class Target:
    """A notebook with validated parameters, and the layout that its result belongs to."""

    notebook: NotebookSource
    parameters: Parameters
    standard: bool  # whether they are those of the tier
    layout: Layout  # the tier's for standard parameters, else one of its own

    @property
    def name(self) -> str:
        """The notebook's full name."""
        return self.notebook.name

    @property
    def values(self) -> dict[str, Any]:
        """The parameters as plain data."""
        return self.parameters.model_dump(mode="json")

    @property
    def cells(self) -> list[Cell]:
        """The cells of work that the notebook's records come from, each after those that it needs."""
        return planned_cells(_attribute(self.notebook, "plan", "plan"), self.parameters)

    @property
    def injected(self) -> dict[str, Any]:
        """The parameters that differ from what the notebook's own first cell assigns."""
        defaults = type(self.parameters)().model_dump(mode="json")
        return {name: value for name, value in self.values.items() if value != defaults[name]}


def target_of(notebook: NotebookSource, tier: str, overrides: Mapping[str, Any]) -> Target:
    """Validate parameters for a notebook; starts nothing and writes nothing."""
    parameters = load_parameters(parameters_model(notebook), notebook.name, tier, overrides)
    standard = not changed_from_tier(parameters, notebook.name)
    own = digest_json(parameters.model_dump(mode="json"))
    layout = tier_layout(tier) if standard else run_layout(notebook.name, own)
    return Target(notebook, parameters, standard, layout)


def read_percent(path: Path) -> "NotebookNode":
    """Read a py:percent file with stable cell ids and a Python kernel."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import jupytext

        notebook = jupytext.read(path, fmt="py:percent")
    tagged = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    if len(tagged) != 1:
        raise PipelineError(f"notebooks/{path.name} has {len(tagged)} cells tagged 'parameters'; needs one")
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
