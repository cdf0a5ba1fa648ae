"""Hash what Python code does: the sources of modules and of all that they import.

Modules are found by path and parsed, never imported. Comments, docstrings and formatting do not count.
"""

import ast
import importlib.util
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ntkd_lib.records.digest import digest_json, sha256_bytes

LIBRARY = "ntkd_lib"


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
        modules: dotted names.
        fresh: look at the files again instead of at what this process saw first.

    Returns:
        64 hexadecimal digits.
    """
    names = tuple(sorted(set(modules)))
    return digest_json(module_sources(names, fresh=True)) if fresh else _remembered_digest(names)


def module_sources(modules: Iterable[str], *, fresh: bool = False) -> dict[str, str]:
    """Hash each source that the modules depend on.

    A process runs the code that it loaded first, so what was seen first is remembered by name.

    Args:
        modules: dotted names.
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
        raise SourceError(f"module {missing[0]!r} is not found; a work function lives in an importable module")
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


@lru_cache(maxsize=None)
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
    state = os.stat(path)
    return _parse(name, path, state.st_ino, state.st_mtime_ns, state.st_size)


def _find(name: str) -> str | None:
    top, *rest = name.split(".")
    folders, path = _top(top)
    for part in rest:
        folders, path = _inside(folders, part)
    return path


def _inside(folders: tuple[str, ...], part: str) -> tuple[tuple[str, ...], str | None]:
    for folder in folders:
        package = os.path.join(folder, part)
        if os.path.isfile(init := os.path.join(package, "__init__.py")):
            return (package,), init
        if os.path.isfile(package + ".py"):
            return (), package + ".py"
    return tuple(f for folder in folders if os.path.isdir(f := os.path.join(folder, part))), None


@lru_cache(maxsize=None)
def _top(name: str) -> tuple[tuple[str, ...], str | None]:
    if name == LIBRARY:
        package = Path(__file__).resolve().parents[1]
        return (str(package),), str(package / "__init__.py")
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):  # ValueError: a module without a spec, such as __main__
        spec = None
    if spec is None:
        return (), None
    path = spec.origin if spec.origin and spec.origin.endswith(".py") else None
    return tuple(spec.submodule_search_locations or ()), path


@lru_cache(maxsize=None)
def _parse(name: str, path: str, inode: int, modified: int, size: int) -> _Module:
    """Parse one version of a file; inode, time and size only tell versions apart."""
    try:
        tree = ast.parse(Path(path).read_bytes())
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 0
        raise SourceError(f"module {name!r} cannot be parsed: line {line}: {getattr(error, 'msg', error)}") from error
    package = name if os.path.basename(path) == "__init__.py" else name.rpartition(".")[0]
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
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
