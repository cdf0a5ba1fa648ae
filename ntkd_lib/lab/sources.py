"""Hash what Python code does: the sources of modules and of all that they import.

Modules are found by path and parsed, never imported. Comments, docstrings and formatting do not count.
"""

import ast
import importlib
import importlib.util
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ntkd_lib.lab.digest import digest_json, sha256_bytes

LIBRARY = "ntkd_lib"
_NOT_FOUND = "module {!r} is not found; a work function lives in an importable module"


class SourceError(ValueError):
    """A module cannot be found or parsed; the text is one line."""


@dataclass(frozen=True)
class _Module:
    digest: str
    candidates: tuple[str, ...]  # dotted names that its imports may mean


def source_digest(modules: Iterable[str], *, fresh: bool = False) -> str:
    """Hash the normalised sources of modules and of everything they import statically.

    Followed are imports within the top-level packages of `modules` and within `ntkd_lib`.

    Args:
        fresh: look at the files again instead of at what this process saw first.
    """
    names = tuple(sorted(set(modules)))
    return digest_json(module_sources(names, fresh=True)) if fresh else _remembered_digest(names)


def module_sources(modules: Iterable[str], *, fresh: bool = False) -> dict[str, str]:
    """Hash each source that the modules depend on.

    A process runs the code that it loaded first, so what was seen first is remembered by name.

    Args:
        fresh: look at the files again instead of at what this process saw first.

    Returns:
        dotted name of each module, sorted, with the hash of its normalised source.

    Raises:
        SourceError: where a named module is not found, or any source cannot be parsed.
    """
    named = sorted(set(modules))
    read = _read if fresh else _remembered
    roots = frozenset({LIBRARY, *(name.partition(".")[0] for name in named)})
    found = {name: read(name) for name in named}
    if missing := [name for name, module in found.items() if module is None]:
        raise SourceError(_NOT_FOUND.format(missing[0]))
    pending = [*named]
    while pending:
        for name in _within(_uses(pending.pop(), found), roots):
            if name not in found:
                found[name] = read(name)
                pending.append(name)
    return {name: found[name].digest for name in sorted(found) if found[name] is not None}


def _uses(name: str, found: dict[str, _Module | None]) -> Iterator[str]:
    module = found[name]
    for dotted in (name, *(module.candidates if module else ())):
        parts = dotted.split(".")
        yield from (".".join(parts[:count]) for count in range(1, len(parts) + 1))


def _within(names: Iterable[str], roots: frozenset[str]) -> Iterator[str]:
    return (name for name in names if name.partition(".")[0] in roots)


@cache
def _remembered_digest(names: tuple[str, ...]) -> str:
    return digest_json(module_sources(names))


_MEMORY: dict[str, _Module | None] = {}


def _remembered(name: str) -> _Module | None:
    if name not in _MEMORY:
        _MEMORY[name] = _read(name)
    return _MEMORY[name]


def _read(name: str) -> _Module | None:
    path = _find(name)
    if path is None:
        return None
    state = path.stat()
    return _parse(name, path, (state.st_ino, state.st_mtime_ns, state.st_size))


def _find(name: str) -> Path | None:
    top, *rest = name.split(".")
    folders, path = _top(top)
    for part in rest:
        folders, path = _inside(folders, part)
    return path


def _inside(folders: tuple[Path, ...], part: str) -> tuple[tuple[Path, ...], Path | None]:
    for folder in folders:
        package, module = folder / part, folder / f"{part}.py"
        if (init := package / "__init__.py").is_file():
            return (package,), init
        if module.is_file():
            return (), module
    return tuple(folder / part for folder in folders if (folder / part).is_dir()), None


@cache
def _top(name: str) -> tuple[tuple[Path, ...], Path | None]:
    if name == LIBRARY:
        package = Path(__file__).resolve().parents[1]
        return (package,), package / "__init__.py"
    importlib.invalidate_caches()
    try:
        spec = importlib.util.find_spec(name) if name != "__main__" else None
    except (ImportError, ValueError):  # ValueError: a module that was made without a spec
        spec = None
    if spec is None:
        raise SourceError(_NOT_FOUND.format(name))  # and so not cached: the path may grow
    path = Path(spec.origin) if spec.origin and spec.origin.endswith(".py") else None
    return tuple(map(Path, spec.submodule_search_locations or ())), path


@cache
def _parse(name: str, path: Path, version: tuple[int, ...]) -> _Module:  # noqa: ARG001 - part of the cache key
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError) as error:
        place = f"line {getattr(error, 'lineno', None) or 1}: {getattr(error, 'msg', error)}"
        raise SourceError(f"module {name!r} cannot be parsed: {place}") from error
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    candidates = sorted({dotted for node in ast.walk(tree) for dotted in _imported(node, package)})
    return _Module(sha256_bytes(_normalised(tree).encode()), tuple(candidates))


def _imported(node: ast.AST, package: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = _absolute(node, package)
        yield base
        yield from (f"{base}.{alias.name}" for alias in node.names if alias.name != "*")


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    parts = package.split(".")
    above = parts[: len(parts) - node.level + 1]
    return ".".join([*above, *([node.module] if node.module else [])])


def _normalised(tree: ast.AST) -> str:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [item for item in body if not _is_text(item)]
    return ast.dump(tree)


def _is_text(node: ast.AST) -> bool:
    """Tell docstrings and other bare strings, which do nothing."""
    constant = node.value if isinstance(node, ast.Expr) else None
    return isinstance(constant, ast.Constant) and isinstance(constant.value, str)
