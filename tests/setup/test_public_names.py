"""Each method package offers its public names, loaded with their modules on first use."""

import ast
import importlib
import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest

from ntkd_lib.imports import stub_homes
from tests.setup.project import ROOT

PACKAGES = ("ntk", "koopman", "spectral", "optics", "distill", "dntk", "inr", "nets")
EXPORTING = (*PACKAGES, "lab", "show")  # the last two for the project itself: no reference page
PROBE = """
import json, sys
import ntkd_lib.{package}
print(json.dumps([name for name in sys.modules if name.startswith("ntkd_lib.{package}.") or name == "torch"]))
"""


def offers():
    """Return each package with each of its public names."""
    return [
        (package, name)
        for package in EXPORTING
        for name in importlib.import_module(f"ntkd_lib.{package}").__all__
    ]


@pytest.mark.parametrize("package, name", offers())
def test_a_public_name_is_the_object_of_its_module(package, name):
    module = importlib.import_module(f"ntkd_lib.{package}")
    offered, home = getattr(module, name), stub_homes(Path(module.__file__))[name]
    assert getattr(importlib.import_module(home), name) is offered
    if inspect.isfunction(offered) or inspect.isclass(offered):  # a constant does not say where it is made
        assert offered.__module__ == home


@pytest.mark.parametrize("package", EXPORTING)
def test_a_package_lists_its_public_names_and_refuses_others(package):
    module = importlib.import_module(f"ntkd_lib.{package}")
    assert dir(module) == sorted(module.__all__)
    with pytest.raises(AttributeError, match=rf"module 'ntkd_lib\.{package}' has no attribute 'nothing'"):
        _ = module.nothing


@pytest.mark.parametrize("package", EXPORTING)
def test_no_public_name_is_hidden_by_a_module(package):
    folder = ROOT / "ntkd_lib" / package
    modules = {path.stem for path in folder.iterdir()}
    assert modules.isdisjoint(importlib.import_module(f"ntkd_lib.{package}").__all__)


@pytest.mark.parametrize("package", EXPORTING)
def test_importing_a_package_loads_none_of_its_modules(package):
    program = [sys.executable, "-c", PROBE.format(package=package)]
    outcome = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(outcome.stdout) == []


@pytest.mark.parametrize("package", EXPORTING)
def test_the_stub_is_read_as_a_type_checker_reads_it(package):
    path = ROOT / "ntkd_lib" / package / "__init__.py"
    imports = ast.parse(path.with_suffix(".pyi").read_text(encoding="utf-8")).body[1:]
    offered = {
        alias.asname: node.module for node in imports for alias in node.names if alias.asname == alias.name
    }
    assert stub_homes(path) == offered
    assert importlib.import_module(f"ntkd_lib.{package}").__all__ == list(offered)


def test_the_package_is_marked_as_typed():
    assert (ROOT / "ntkd_lib" / "py.typed").is_file()
