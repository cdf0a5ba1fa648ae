"""Reference pages of the method packages: their public names, for sphinx.ext.autodoc to fill."""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

from ntkd_lib.lab.atomic import write_text
from ntkd_lib.lab.sources import LIBRARY

_LIBRARY = Path(__file__).resolve().parents[1]
_DIRECTIVES = {ast.ClassDef: "autoclass", ast.FunctionDef: "autofunction"}


def api_sources(pages: Iterable[str]) -> list[Path]:
    """List the library's files that the reference pages among some pages are made of."""
    return [path for package in _packages(pages) for path in sorted((_LIBRARY / package).rglob("*.py"))]


def stage_api_pages(site: Path, pages: Iterable[str]) -> None:
    """Write the reference page of each package that the table of contents lists as `api/<package>`."""
    for package in _packages(pages):
        write_text(site / "api" / f"{package}.md", api_page(package))


def api_page(package: str) -> str:
    """Write a package's reference page: a section per module that exports names or builds an objective."""
    tree = _parse(_LIBRARY / package / "__init__.py")
    homes = next(ast.literal_eval(node.value) for node in tree.body if _assigns(node, "_HOMES"))
    sections = [
        _section(f"{LIBRARY}.{package}", module, directives, homes)
        for module, directives in _modules(_LIBRARY / package)
        if module in homes.values() or "build" in directives
    ]
    return "\n\n".join([f"# {LIBRARY}.{package}", str(ast.get_docstring(tree)), *sections]) + "\n"


def _packages(pages: Iterable[str]) -> list[str]:
    names = (page.removeprefix("api/") for page in pages if page.startswith("api/"))
    return [name for name in names if name != "index"]


def _parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _assigns(node: ast.stmt, name: str) -> bool:
    return isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name


def _modules(folder: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield each module of a package with the directive of each of its public definitions."""
    for path in sorted(folder.rglob("*.py")):
        definitions = (node for node in _parse(path).body if type(node) in _DIRECTIVES)
        directives = {node.name: _DIRECTIVES[type(node)] for node in definitions if node.name[0] != "_"}
        yield ".".join(path.relative_to(folder).with_suffix("").parts), directives


def _section(package: str, module: str, directives: dict[str, str], homes: dict[str, str]) -> str:
    """Document a module's exported names by their short path; if it exports none, all that it defines."""
    exported = [name for name in directives if homes.get(name) == module]
    path, names = (package, exported) if exported else (f"{package}.{module}", list(directives))
    lines = [f".. automodule:: {package}.{module}", ""]
    for name in names:
        members = ["   :members:"] if directives[name] == "autoclass" else []
        lines += [f".. {directives[name]}:: {path}.{name}", *members, ""]
    return "\n".join([f"## {module}", "", "```{eval-rst}", *lines, "```"])
