"""Hash what Python code does: the sources of modules and of all that they import.

Modules are found by path and parsed, never imported. Comments, docstrings and formatting do not count. Names
that a module exports on first use (``__getattr__``) are followed into modules that its stub or source names.
"""

import ast
import importlib
import importlib.util
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import chain
from pathlib import Path

from ntkd_lib.imports import stub_homes
from ntkd_lib.lab.digest import digest_json, sha256_bytes

LIBRARY = "ntkd_lib"
_NOT_FOUND = "module {!r} is not found; a work function lives in an importable module"
_HIDDEN = "module {!r} exports {!r} on first use, from a place that no source names; import it from there"


_Place = tuple[tuple[Path, ...], Path | None]  # folders in which parts of a package lie, and a module's file


class SourceError(ValueError):
    """A module cannot be found or parsed; the text is one line."""


@dataclass(frozen=True)
class _Module:
    digest: str
    package: str
    candidates: tuple[str, ...]  # dotted names that its code may mean
    lazy: "_Exports | None" = None


@dataclass(frozen=True)
class _Exports:
    """What the source of a module with ``__getattr__`` says of names that it does not bind."""

    bound: frozenset[str]
    homes: dict[str, tuple[str, ...]] = field(hash=False)  # texts beside a name in a literal mapping
    texts: tuple[str, ...] = ()  # all texts that may name a module


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
    roots = frozenset({LIBRARY, *(name.partition(".")[0] for name in named)})
    sources = {name: read(name) for name in named}
    if missing := [name for name, module in sources.items() if module is None]:
        raise SourceError(_NOT_FOUND.format(missing[0]))
    pending = [*named]
    if script:
        sources["__main__"] = _parse("__main__", script, _state(script))
        pending.append("__main__")
    while pending:
        for name in _uses(pending.pop(), sources, roots):
            if name not in sources and name.partition(".")[0] in roots:
                sources[name] = read(name)
                pending.append(name)
    sources.pop("__main__", None)
    return {name: sources[name].digest for name in sorted(sources) if sources[name] is not None}


def _uses(name: str, modules: dict[str, _Module | None], roots: frozenset[str]) -> Iterator[str]:
    """List the modules that a module may import; each is looked up in `modules` before the next comes."""
    module = modules[name]
    candidates = module.candidates if module else ()
    queue = [name, *(dotted for dotted in candidates if dotted.partition(".")[0] in roots)]
    for dotted in queue:  # grows by the homes of names that are exported on first use
        holder, inner = None, ""
        for part in dotted.split("."):
            outer, inner = inner, f"{inner}.{part}" if inner else part
            yield inner
            held = modules.get(inner)
            if held is None and holder and holder.lazy:
                homes = yield from _homes(holder, outer, part, modules)
                queue += [new for new in homes if new not in queue]
            holder = held


def _homes(
    holder: _Module, dotted: str, name: str, modules: dict[str, _Module | None]
) -> Generator[str, None, list[str]]:
    """List where a name that a module does not bind itself may come from."""
    if name in holder.lazy.bound or name.startswith("__"):
        return []
    homes = []
    for text in holder.lazy.homes.get(name, holder.lazy.texts):
        for place in (text, f"{holder.package}.{text.lstrip('.')}"):
            yield place
            if modules.get(place) is not None and not f"{dotted}.".startswith(f"{place}."):
                homes.append(place if name == "*" else f"{place}.{name}")
                break
    if not homes and name != "*":
        raise SourceError(_HIDDEN.format(dotted, name))
    return homes


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
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError) as error:
        place = f"line {getattr(error, 'lineno', None) or 1}: {getattr(error, 'msg', error)}"
        raise SourceError(f"module {name!r} cannot be parsed: {place}") from error
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    nodes = [*ast.walk(tree)]
    imports: dict[str, set[str]] = {}
    for statement in (node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)):
        for local, dotted in _imported(statement, package):
            imports.setdefault(local, set()).add(dotted)
    candidates = {*_chains(nodes, imports)}.union(*imports.values())
    lazy = _exports(tree, path)
    _leave_out_texts(nodes)
    digest = sha256_bytes(ast.dump(tree).encode())
    return _Module(digest, package, tuple(sorted(candidates)), lazy)


def _imported(node: ast.Import | ast.ImportFrom, package: str) -> Iterator[tuple[str, str]]:
    """List the names that an import binds, or could, with the dotted name that each stands for."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield alias.asname or f"{alias.name} ", alias.name  # a plain import binds its first part alone
            if not alias.asname:
                top = alias.name.partition(".")[0]
                yield top, top
    else:
        base = _absolute(node, package)
        yield f"{base} ", base
        for alias in node.names:
            yield (f"{base}.* " if alias.name == "*" else alias.asname or alias.name), f"{base}.{alias.name}"


def _chains(nodes: Iterable[ast.AST], imports: dict[str, set[str]]) -> Iterator[str]:
    """List imported names with the attributes that are read from them; `.*` where one is used as a value."""
    inner = set()
    for node in nodes:
        parts, root = [], node
        while isinstance(root, ast.Attribute):
            parts.append(root.attr)
            root = root.value
            inner.add(id(root))
        if isinstance(root, ast.Name) and root.id in imports and (parts or id(root) not in inner):
            yield from (".".join([dotted, *reversed(parts or ["*"])]) for dotted in imports[root.id])


def _exports(tree: ast.Module, path: Path) -> _Exports | None:
    bound = frozenset(name for node in tree.body for name in _bound(node))
    if "__getattr__" not in bound:
        return None
    stub = stub_homes(path) if path.with_suffix(".pyi").is_file() else {}
    homes = {name: (module,) for name, module in stub.items()}
    for mapping in (node for node in ast.walk(tree) if isinstance(node, ast.Dict)):
        for key, value in zip(mapping.keys, mapping.values, strict=True):
            if isinstance(key, ast.Constant) and (texts := _texts(value)):
                homes[key.value] = (*homes.get(key.value, ()), *texts)
    return _Exports(bound, homes, (*_texts(tree), *stub.values()))


def _bound(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
        return
    if isinstance(node, ast.Import | ast.ImportFrom):
        yield from ((alias.asname or alias.name).partition(".")[0] for alias in node.names)
    for inner in ast.iter_child_nodes(node):
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
            yield inner.id
        elif not isinstance(inner, ast.Lambda):
            yield from _bound(inner)


def _texts(tree: ast.AST) -> tuple[str, ...]:
    texts = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
    plain = {text for text in texts if isinstance(text, str) and text.lstrip(".")}
    return tuple(sorted(text for text in plain if all(p.isidentifier() for p in text.lstrip(".").split("."))))


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    parts = package.split(".")
    above = parts[: len(parts) - node.level + 1]
    return ".".join([*above, *([node.module] if node.module else [])])


def _leave_out_texts(nodes: Iterable[ast.AST]) -> None:
    """Take docstrings and other bare strings, which do nothing, out of every body."""
    for node in nodes:
        if isinstance(body := getattr(node, "body", None), list):
            node.body = [item for item in body if not (isinstance(item, ast.Expr) and _is_text(item.value))]


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)
