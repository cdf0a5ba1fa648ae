"""The methods run on four libraries; whatever needs more names the extra that installs it."""

import contextlib
import json
import subprocess
import sys
from functools import cache
from importlib import metadata

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.setup.project import ROOT, python_files
from tests.setup.test_environment import CORE, EXTRAS, NAME
from tests.setup.test_imports import module_of
from tests.setup.test_public_names import PACKAGES

# a Python in which some libraries cannot be imported
BLOCKED = """
import importlib, json, sys
blocked, statement = set(json.loads(sys.argv[1])), sys.argv[2]

class Absence:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absence())
"""
REPORT = """
outcomes = {}
for name in json.loads(statement):
    try:
        importlib.import_module(name)
    except ImportError as error:
        outcomes[name] = f"{type(error).__name__}: {error}"
print(json.dumps(outcomes))
"""
# what a package offers beside its core: module -> extra
NEEDS = {
    "dntk.gradients": "dntk",
    "dntk.matching": "dntk",
    "dntk.selection": "dntk",
    "koopman.classifier": "koopman",
    "koopman.edmd": "koopman",
    "koopman.export": "koopman",
    "koopman.settings": "koopman",
    "ntk.blocked": "cluster",
    "ntk.blocked_graph": "cluster",
    "ntk.blocked_linear_algebra": "cluster",
    "ntk.blocked_store": "cluster",
    "ntk.infinite.blocked": "cluster",
    "optics.layout": "optics",
    "spectral.drawing": "spectral",
    "spectral.modes": "spectral",
    "spectral.report": "spectral",
    "spectral.student": "spectral",
}
CALLS = {
    "companion": "from ntkd_lib.pipeline.cli import main",
    "data": "from ntkd_lib.data.tables import load_table; load_table('diabetes')",
    "inr": "import numpy as np; from ntkd_lib.inr import surface; surface(np.zeros((2, 2, 2)))",
    "koopman": "from ntkd_lib.koopman import to_onnx; to_onnx(None)",
    "nets": "from ntkd_lib.nets.resnet import resnet18_cifar; resnet18_cifar()",
}


def with_requirements(names):
    """Return libraries and those that they need themselves."""
    pending, closure = {canonicalize_name(name) for name in names}, set()
    while pending:
        closure.add(name := pending.pop())
        with contextlib.suppress(metadata.PackageNotFoundError):
            needs = map(Requirement, metadata.requires(name) or ())
            own = {need.name for need in needs if need.marker is None or need.marker.evaluate({"extra": ""})}
            pending |= {canonicalize_name(need) for need in own} - closure
    return closure


@cache
def beyond_the_core():
    """Return the import names of what is installed and belongs to none of the core's libraries."""
    allowed = with_requirements(CORE) | {NAME}
    owners = metadata.packages_distributions().items()
    return [name for name, owned in owners if allowed.isdisjoint(map(canonicalize_name, owned))]


def run_with_core_alone(program, argument):
    """Run a program where no library but the core's can be imported."""
    assert {"sklearn", "pandas", "dask", "pydantic", "torchvision"} <= set(beyond_the_core())
    command = [sys.executable, "-c", BLOCKED + program, json.dumps(beyond_the_core()), argument]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def test_every_module_of_the_methods_imports_on_four_libraries_or_names_its_extra():
    methods = set(PACKAGES) - {"lab", "show"}
    names = [module_of(path) for path in python_files("ntkd_lib") if path.parts[1] in methods]
    outcome = run_with_core_alone(REPORT, json.dumps(names))
    assert outcome.returncode == 0, outcome.stderr
    refused = json.loads(outcome.stdout)
    assert {name.removeprefix("ntkd_lib.") for name in refused} == set(NEEDS)
    for name, extra in NEEDS.items():
        assert refused[f"ntkd_lib.{name}"].endswith(f" is not installed; run: pip install 'ntkd[{extra}]'")


@pytest.mark.parametrize("extra", CALLS)
def test_a_function_that_needs_an_extra_names_it(extra):
    outcome = run_with_core_alone("exec(statement)", CALLS[extra])
    *_, last = outcome.stderr.splitlines()
    assert last.endswith(f" is not installed; run: pip install 'ntkd[{extra}]'")
    assert extra in EXTRAS


def test_the_exact_kernel_runs_on_four_libraries():
    example = (
        "import torch; from ntkd_lib.ntk import empirical_ntk; x = torch.eye(3);"
        "print(empirical_ntk(torch.nn.Linear(3, 2), x, kind='trace').tolist())"
    )
    outcome = run_with_core_alone("exec(statement)", example)
    assert outcome.returncode == 0, outcome.stderr
    assert json.loads(outcome.stdout) == [[4, 2, 2], [2, 4, 2], [2, 2, 4]]
