"""The shape that this code keeps: short functions and files, documented names, notebooks that only tell."""

import ast
import re
from pathlib import Path

import pytest

from tests.setup.project import ROOT, python_files, tracked, tree

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
DEFINITIONS = (*FUNCTIONS, ast.ClassDef)

# Written in pieces, so that this file does not hold what it refuses.
FOREIGN = re.compile(
    "|".join(
        (
            r"/w[o]rk/",
            r"/r[o]ot/",
            r"/t[m]p/",
            r"/o[p]t/(wheels|pypi)",
            r"\b(sub-?)?a[g]ents?\b",
            r"\ba[s]sistants?\b",
            r"\bC[l]aude\b",
            r"\bl[a]nguage models?\b",
            r"python[h]osted",
            r"registry\.n[p]mjs",
            r"\bissue #?\d",
        )
    ),
    re.IGNORECASE,
)
# Rooms of the library whose English is held, as well as the benchmarks'.
SWEPT = (
    "ntk",
    "optics",
    "inr",
    "koopman",
    "spectral",
    "dntk",
    "nets",
    "distill",
    "data",
    "ranges.py",
    "imports.py",
    "chapters",
    "show",
    "lab",
    "pipeline",
)
PARTICIPLE = re.compile(
    r"_*([A-Z]?[a-z]*ed|Seen|Shown|Drawn|Chosen|Known|Kept|Found|Given|Made|Fed|Taken|Rest)"
)
NOUNS = {"Feed", "Seed", "Need", "Speed"}
UNTOLD = {"found", "asked", "wanted", "kept", "known", "given"}
TEXT_SUFFIXES = {".py", ".md", ".yml", ".yaml", ".toml", ".txt", ".cff", ".css", ".sh", ".json", ".bib", ""}


def definitions(path):
    """Return each function and class of a file."""
    return [node for node in ast.walk(tree(path)) if isinstance(node, DEFINITIONS)]


def body_lines(node):
    """Return how many lines a function has without its docstring."""
    size = node.end_lineno - node.lineno + 1
    if ast.get_docstring(node) is None:
        return size
    return size - (node.body[0].end_lineno - node.body[0].lineno + 1)


def public_definitions(path):
    """Return the qualified names and nodes of what a module offers, methods included, inner functions not."""
    pending = [("", node) for node in tree(path).body]
    while pending:
        prefix, node = pending.pop()
        if not isinstance(node, DEFINITIONS) or node.name.startswith("_"):
            continue
        yield prefix + node.name, node
        if isinstance(node, ast.ClassDef):
            pending += [(f"{prefix}{node.name}.", inner) for inner in node.body]


def inherits_documentation(node):
    """Tell whether a method says that it overrides another, whose docstring speaks for it."""
    return any(isinstance(mark, ast.Name) and mark.id == "override" for mark in node.decorator_list)


def swept():
    """Return the Python files whose English is held."""
    rooms = {Path("ntkd_lib", room) for room in SWEPT}
    library = [path for path in python_files("ntkd_lib") if rooms & {path, *path.parents}]
    return library + python_files("benchmarks")


def is_participle(name):
    """Tell whether the name of a class is a participle alone."""
    return PARTICIPLE.fullmatch(name) is not None and name.strip("_") not in NOUNS


def bindings(node):
    """Return the names that a function binds: arguments and locals."""
    inner = list(ast.walk(node))
    stored = {each.id for each in inner if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)}
    return stored | {each.arg for each in inner if isinstance(each, ast.arg)}


def test_the_library_is_found():
    assert len(python_files("ntkd_lib")) > 20


def test_no_function_is_longer_than_60_lines():
    long = [
        f"{path}:{node.lineno} {node.name}: {body_lines(node)} lines"
        for path in python_files("ntkd_lib", "benchmarks", "tests")
        for node in definitions(path)
        if isinstance(node, FUNCTIONS) and body_lines(node) > 60
    ]
    assert long == []


def test_most_functions_are_short():
    sizes = sorted(
        body_lines(node)
        for path in python_files("ntkd_lib")
        for node in definitions(path)
        if isinstance(node, FUNCTIONS)
    )
    assert sizes[len(sizes) // 2] <= 8
    assert sizes[int(0.9 * (len(sizes) - 1))] <= 25


def test_no_file_is_longer_than_400_lines():
    lengths = {path: (ROOT / path).read_text().count("\n") for path in python_files("ntkd_lib", "benchmarks")}
    assert {path: length for path, length in lengths.items() if length > 400} == {}


def test_every_public_name_says_what_it_is():
    silent = [
        f"{path}:{node.lineno} {name}"
        for path in python_files("ntkd_lib")
        for name, node in public_definitions(path)
        if ast.get_docstring(node) is None and not inherits_documentation(node)
    ]
    assert silent == []


def test_every_module_says_what_it_is():
    modules = python_files("ntkd_lib", "benchmarks")
    assert [path for path in modules if ast.get_docstring(tree(path)) is None] == []


@pytest.mark.parametrize(
    "name, answer", [("_Fed", True), ("Located", True), ("Feed", False), ("LayerCall", False)]
)
def test_a_participle_is_told_from_a_noun(name, answer):
    assert is_participle(name) is answer


def test_every_class_is_named_by_a_noun():
    classes = [
        (path, node) for path in swept() for node in definitions(path) if isinstance(node, ast.ClassDef)
    ]
    assert len(classes) > 100
    assert [f"{path}:{node.lineno} {node.name}" for path, node in classes if is_participle(node.name)] == []


def test_a_variable_is_named_for_what_it_holds():
    functions = [
        (path, node) for path in swept() for node in definitions(path) if isinstance(node, FUNCTIONS)
    ]
    vague = [
        f"{path}:{node.lineno} {node.name}: {', '.join(sorted(names))}"
        for path, node in functions
        if (names := bindings(node) & UNTOLD)
    ]
    assert vague == []


def test_no_docstring_opens_with_give():
    documented = [(path, node) for path in swept() for node in [tree(path), *definitions(path)]]
    opening = [f"{path}" for path, node in documented if (ast.get_docstring(node) or "").startswith("Give")]
    assert opening == []


def test_no_module_is_a_drawer():
    drawers = {"utils.py", "util.py", "helpers.py", "misc.py", "common.py"}
    assert [path for path in python_files("ntkd_lib", "benchmarks") if path.name in drawers] == []


def test_no_star_imports():
    starred = [
        f"{path}:{node.lineno}"
        for path in python_files("ntkd_lib", "notebooks", "benchmarks", "tests")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ImportFrom) and node.names[0].name == "*"
    ]
    assert starred == []


def test_notebooks_define_nothing():
    defined = [
        f"{path}:{node.lineno} {node.name}"
        for path in python_files("notebooks")
        for node in definitions(path)
    ]
    assert defined == []


def test_no_generated_notebook_is_tracked():
    assert [path for path in tracked() if path.suffix == ".ipynb"] == []


def test_nothing_is_left_to_do():
    unfinished = re.compile(r"\b(TO[D]O|FIX[M]E|X[X]X)\b")
    found = [
        f"{path}: {hit.group(0)}"
        for path in tracked()
        if path.suffix in TEXT_SUFFIXES and "_static" not in path.parts
        for hit in unfinished.finditer((ROOT / path).read_text(encoding="utf-8"))
    ]
    assert found == []


def test_the_project_speaks_of_itself_alone():
    found = [
        f"{path}: {hit.group(0)}"
        for path in tracked()
        if path.suffix in TEXT_SUFFIXES and "_static" not in path.parts
        for hit in FOREIGN.finditer((ROOT / path).read_text(encoding="utf-8"))
    ]
    assert found == []
