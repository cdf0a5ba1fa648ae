"""Imports point downwards, and the command line starts without the heavy libraries."""

import json
import subprocess
import sys

import pytest

from tests.setup.project import ROOT, python_files

HEAVY = ("torch", "torchvision", "matplotlib", "pandas", "sklearn", "seaborn", "scipy.stats")
PROBE = """
import importlib, json, sys
name, heavy = sys.argv[1], sys.argv[2:]
importlib.import_module(name)
print(json.dumps(sorted(set(heavy) & set(sys.modules))))
"""


def module_of(path):
    """Return the dotted name of a file of the library."""
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def light_modules():
    """Return what must be importable without torch: the ground, the packages, the command line.

    A plan imports the work that it describes, and so torch; it is imported when a run is planned.
    """
    paths = python_files("ntkd_lib")
    wanted = [
        path
        for path in paths
        if path.parts[1] == "lab"
        or path.name in {"__init__.py", "parameters.py"}
        or path.parts[1:] in {("pipeline", "cli.py"), ("data", "registry.py")}
    ]
    return [module_of(path) for path in wanted]


def heavy_after(statement, *names):
    """Return which heavy libraries a fresh Python holds once it has run a program."""
    program = [sys.executable, "-c", statement, *names, *HEAVY]
    outcome = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120)
    return json.loads(outcome.stdout.splitlines()[-1])


def test_the_light_modules_stay_light():
    modules = light_modules()
    assert "ntkd_lib.lab" in modules
    everything = f"import {', '.join(modules)}\nimport json, sys"
    found = heavy_after(f"{everything}\nprint(json.dumps(sorted(set(sys.argv[1:]) & set(sys.modules))))")
    guilty = {name: heavy for name in modules if found and (heavy := heavy_after(PROBE, name))}
    assert guilty == {}


def test_the_probe_sees_a_heavy_import():
    assert heavy_after(PROBE, "pandas") == ["pandas"]


@pytest.mark.parametrize("layer", ["lab", "data"])
def test_a_layer_that_others_stand_on_exists(layer):
    assert (ROOT / "ntkd_lib" / layer / "__init__.py").is_file()
