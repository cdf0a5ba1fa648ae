"""Hash what Python code does: the sources of modules and of all that they import.

Modules are found by path and parsed, never imported. Comments, docstrings and formatting do not count. Names
that a module exports on first use (``__getattr__``) are followed into the modules that its source names.
"""

import ast
import importlib
import importlib.util
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from ntkd_lib.lab.digest import digest_json, sha256_bytes

LIBRARY = "ntkd_lib"
_NOT_FOUND = "module {!r} is not found; a work function lives in an importable module"
_HIDDEN = (
    "module {!r} exports {!r} on first use, from a place that its source does not name; import it from there"
)


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
    """Hash the normalised sources of modules and of all that they import from their packages and `ntkd_lib`.

    The imports of a `script` are followed too, but it is not hashed; `fresh` looks at the files again.
    """
    names = tuple(sorted(set(modules)))
    if fresh or script:
        return digest_json(module_sources(names, script=script, fresh=fresh))
    return _remembered_digest(names)


def module_sources(
    modules: Iterable[str], *, script: Path | None = None, fresh: bool = False
) -> dict[str, str]:
    """Hash the normalised source of each module that others depend on, by dotted name, sorted.

    A process runs the code that it loaded first, which is remembered by name, unless `fresh` is set.
    """
    named = sorted(set(modules))
    read = _read if fresh else _remembered
    roots = frozenset({LIBRARY, *(name.partition(".")[0] for name in named)})
    sources = {name: read(name) for name in named}
    if missing := [name for name, module in sources.items() if module is None]:
        raise SourceError(_NOT_FOUND.format(missing[0]))
    pending = [*named]
    if script:
        sources["__main__"] = _parse("__main__", script, _state(script))
        pending.append("__main__")
    while pending:
        for name in _within(_uses(pending.pop(), sources), roots):
            if name not in sources:
                sources[name] = read(name)
                pending.append(name)
    sources.pop("__main__", None)
    return {name: sources[name].digest for name in sorted(sources) if sources[name] is not None}


def _uses(name: str, modules: dict[str, _Module | None]) -> Iterator[str]:
    """List the modules that a module may import; each is looked up in `modules` before the next comes."""
    module = modules[name]
    queue = [name, *(module.candidates if module else ())]
    for dotted in queue:  # grows by the homes of names that are exported on first use
        parts = dotted.split(".")
        for count in range(1, len(parts) + 1):
            inner = ".".join(parts[:count])
            yield inner
            if modules.get(inner) is None:
                holder = modules.get(".".join(parts[: count - 1]))
                homes = yield from _homes(holder, ".".join(parts[: count - 1]), parts[count - 1], modules)
                queue += [new for new in homes if new not in queue]


def _homes(
    holder: _Module | None, dotted: str, name: str, modules: dict[str, _Module | None]
) -> Generator[str, None, list[str]]:
    """List where a name that a module does not bind itself may come from."""
    if holder is None or holder.lazy is None or name in holder.lazy.bound or name.startswith("__"):
        return []
    homes = []
    for text in holder.lazy.homes.get(name, holder.lazy.texts):
        for place in (f"{holder.package}.{text.lstrip('.')}", text):
            yield place
            if modules.get(place) is not None and not f"{dotted}.".startswith(f"{place}."):
                homes.append(place if name == "*" else f"{place}.{name}")
                break
    if not homes and name != "*":
        raise SourceError(_HIDDEN.format(dotted, name))
    return homes


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
    return None if path is None else _parse(name, path, _state(path))


def _state(path: Path) -> tuple[int, ...]:
    state = path.stat()
    return state.st_ino, state.st_mtime_ns, state.st_size


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
    imports: dict[str, set[str]] = {}
    for local, dotted in (pair for node in ast.walk(tree) for pair in _imported(node, package)):
        imports.setdefault(local, set()).add(dotted)
    candidates = {*_chains(tree, imports)}.union(*imports.values())
    lazy = _exports(tree)
    digest = sha256_bytes(_normalised(tree).encode())
    return _Module(digest, package, tuple(sorted(candidates)), lazy)


def _imported(node: ast.AST, package: str) -> Iterator[tuple[str, str]]:
    """List the names that an import binds, or could, with the dotted name that each stands for."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield alias.asname or f"{alias.name} ", alias.name  # a plain import binds its first part alone
            if not alias.asname:
                top = alias.name.partition(".")[0]
                yield top, top
    elif isinstance(node, ast.ImportFrom):
        base = _absolute(node, package)
        yield f"{base} ", base
        for alias in node.names:
            yield (f"{base}.* " if alias.name == "*" else alias.asname or alias.name), f"{base}.{alias.name}"


def _chains(tree: ast.AST, imports: dict[str, set[str]]) -> Iterator[str]:
    """List imported names with the attributes that are read from them; `.*` where one is used as a value."""
    inner = set()
    for node in ast.walk(tree):
        parts, root = [], node
        while isinstance(root, ast.Attribute):
            parts.append(root.attr)
            root = root.value
            inner.add(id(root))
        if isinstance(root, ast.Name) and root.id in imports and (parts or id(root) not in inner):
            yield from (".".join([dotted, *reversed(parts or ["*"])]) for dotted in imports[root.id])


def _exports(tree: ast.Module) -> _Exports | None:
    bound = frozenset(name for node in tree.body for name in _bound(node))
    if "__getattr__" not in bound:
        return None
    homes: dict[str, tuple[str, ...]] = {}
    for mapping in (node for node in ast.walk(tree) if isinstance(node, ast.Dict)):
        for key, value in zip(mapping.keys, mapping.values, strict=True):
            if isinstance(key, ast.Constant) and (texts := _texts(value)):
                homes[key.value] = (*homes.get(key.value, ()), *texts)
    return _Exports(bound, homes, _texts(tree))


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
