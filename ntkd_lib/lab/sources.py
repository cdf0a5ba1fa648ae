"""Hash what Python code does: the sources of modules and of all that they import.

Modules are found by path and parsed, never imported. Comments, docstrings and formatting do not count. Names
that a package exports on first use (``lazy_exports``) are followed into the modules that its stub names.
"""

import ast
import importlib
import importlib.util
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from itertools import accumulate, chain
from pathlib import Path

from ntkd_lib.imports import stub_homes
from ntkd_lib.lab.digest import digest_json, sha256_bytes

LIBRARY = "ntkd_lib"
_NOT_FOUND = "module {!r} is not found; a work function lives in an importable module"
_HIDDEN = "module {!r} exports names on first use and has no stub that says where they are defined"

_Place = tuple[tuple[Path, ...], Path | None]  # folders in which parts of a package lie, and a module's file


class SourceError(ValueError):
    """A module cannot be found or parsed; the text is one line."""


@dataclass(frozen=True)
class _Module:
    digest: str
    imports: frozenset[str]  # dotted names of modules, or of what they define
    exports: tuple[tuple[str, str], ...]  # names that it exports on first use, and their modules


def source_digest(modules: Iterable[str], *, script: Path | None = None, fresh: bool = False) -> str:
    """Hash the normalised sources of modules, and of all of ours that they and a `script` import."""
    names = tuple(sorted(set(modules)))
    if fresh or script:
        return digest_json(module_sources(names, script=script, fresh=fresh))
    return _remembered_digest(names)


def module_sources(
    modules: Iterable[str], *, script: Path | None = None, fresh: bool = False
) -> dict[str, str]:
    """Hash the normalised source of each module that others depend on, by dotted name, sorted."""
    # a process runs the code that it loaded first, which is remembered by name, unless `fresh` is set
    named = sorted(set(modules))
    read = partial(_read, places={}) if fresh else _remembered
    roots = {LIBRARY, *(name.partition(".")[0] for name in named)}
    sources: dict[str, _Module | None] = {}
    queue = dict.fromkeys(named)
    if script:
        queue |= dict.fromkeys(_parse("__main__", script, _state(script)).imports)
    pending = [*queue]
    for dotted in pending:  # grows by what modules import
        if dotted.partition(".")[0] in roots:
            new = [each for each in _followed(dotted, sources, read) if each not in queue]
            queue |= dict.fromkeys(new)
            pending += dict.fromkeys(new)
    if missing := [name for name in named if sources[name] is None]:
        raise SourceError(_NOT_FOUND.format(missing[0]))
    return {name: module.digest for name, module in sorted(sources.items()) if module is not None}


def _followed(
    dotted: str, sources: dict[str, _Module | None], read: Callable[[str], _Module | None]
) -> Iterator[str]:
    """Read the modules that a dotted name passes; list their imports and the homes of exported names."""
    package: _Module | None = None
    for name in accumulate(dotted.split("."), "{}.{}".format):
        if name not in sources:
            sources[name] = read(name)
            yield from sources[name].imports if sources[name] else ()
        if sources[name] is None and package:
            part = name.rpartition(".")[2]
            yield from (f"{home}.{own}" for own, home in package.exports if part in (own, "*"))
        package = sources[name]
    yield from (f"{home}.{own}" for own, home in package.exports) if package else ()


@cache
def _remembered_digest(names: tuple[str, ...]) -> str:
    return digest_json(module_sources(names))


@cache
def _remembered(name: str) -> _Module | None:
    return _read(name, {})


def _read(name: str, places: dict[str, _Place]) -> _Module | None:
    _, path = _find(name, places)
    return None if path is None else _parse(name, path, _state(path))


def _state(path: Path) -> tuple[int, ...]:
    states = (file.stat() for file in (path, path.with_suffix(".pyi")) if file.is_file())
    return tuple(chain.from_iterable((state.st_ino, state.st_mtime_ns, state.st_size) for state in states))


def _find(name: str, places: dict[str, _Place]) -> _Place:
    if name not in places:
        outer, _, part = name.rpartition(".")
        places[name] = _inside(_find(outer, places)[0], part) if outer else _top(part)
    return places[name]


def _inside(folders: tuple[Path, ...], part: str) -> _Place:
    for folder in folders:
        package, module = folder / part, folder / f"{part}.py"
        if (init := package / "__init__.py").is_file():
            return (package,), init
        if module.is_file():
            return (), module
    return tuple(folder / part for folder in folders if (folder / part).is_dir()), None


@cache
def _top(name: str) -> _Place:
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
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    try:
        tree = ast.parse(path.read_bytes())
        imports = frozenset(_imported(tree, package))
    except (SyntaxError, ValueError, ImportError) as error:
        place = f"line {getattr(error, 'lineno', None) or 1}: {getattr(error, 'msg', error)}"
        raise SourceError(f"module {name!r} cannot be parsed: {place}") from error
    exports = _exports(tree, name, path)
    _leave_out_texts(tree)
    return _Module(sha256_bytes(ast.dump(tree).encode()), imports, exports)


def _imported(tree: ast.Module, package: str) -> Iterator[str]:
    """List the dotted names that imports name; one of a whole module may mean all that it exports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _exports(tree: ast.Module, name: str, path: Path) -> tuple[tuple[str, str], ...]:
    """Read from its stub what a module with ``__getattr__`` exports."""
    bound = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    assigned = (node for node in tree.body if isinstance(node, ast.Assign))
    bound += [node.id for each in assigned for node in ast.walk(each) if isinstance(node, ast.Name)]
    if "__getattr__" not in bound:
        return ()
    if not path.with_suffix(".pyi").is_file():
        raise SourceError(_HIDDEN.format(name))
    return tuple(stub_homes(path).items())


def _leave_out_texts(tree: ast.Module) -> None:
    """Remove docstrings and other bare strings, which do nothing, from every body."""
    for node in ast.walk(tree):
        if isinstance(body := getattr(node, "body", None), list):
            node.body = [item for item in body if not _is_text(item)]


def _is_text(node: ast.AST) -> bool:
    value = getattr(node, "value", None) if isinstance(node, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)
