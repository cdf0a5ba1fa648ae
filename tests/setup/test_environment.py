"""pyproject.toml, constraints.txt, environment.yml and the Makefile tell the same story."""

import re
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from setuptools import find_packages

from tests.setup.project import ROOT, tracked

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PINS = [Requirement(line) for line in (ROOT / "constraints.txt").read_text().splitlines() if line.strip()]
ENVIRONMENT = yaml.safe_load((ROOT / "environment.yml").read_text())
EXTRAS = PYPROJECT["project"]["optional-dependencies"]
NAME = PYPROJECT["project"]["name"]
GROUPS = (PYPROJECT["project"]["dependencies"], PYPROJECT["build-system"]["requires"], *EXTRAS.values())
DIRECT = sorted(
    {requirement for group in GROUPS for requirement in map(Requirement, group) if requirement.name != NAME},
    key=str,
)
CORE = {"jaxtyping", "numpy", "scipy", "torch"}
OPTED_IN = {"bench", "kaggle"}  # other libraries for the benchmark, Kaggle's client for an account's owner


def pins_of(requirement):
    """Return the pins of the package that a requirement names; several where they differ by Python."""
    return [pin for pin in PINS if canonicalize_name(pin.name) == canonicalize_name(requirement.name)]


@pytest.mark.parametrize("requirement", DIRECT, ids=str)
def test_every_direct_dependency_is_pinned_within_its_range(requirement):
    pins = pins_of(requirement)
    assert pins, f"constraints.txt does not pin {requirement.name}"
    for pin in pins:
        (specifier,) = pin.specifier
        assert requirement.specifier.contains(specifier.version), f"{pin} is outside {requirement}"


def test_a_wheel_holds_every_file_of_the_library():
    found = PYPROJECT["tool"]["setuptools"]["packages"]["find"]["include"]
    packages = set(find_packages(str(ROOT), include=found))
    data = PYPROJECT["tool"]["setuptools"]["package-data"]["*"]
    files = [path for path in tracked() if path.parts[0] == "ntkd_lib"]
    taken = [path for path in files if path.suffix == ".py" or any(path.match(pattern) for pattern in data)]
    lost = {*files}.difference(taken)
    lost |= {path for path in files if ".".join(path.parent.parts) not in packages}
    assert lost == set()


@pytest.mark.parametrize("pin", PINS, ids=str)
def test_a_pin_is_one_exact_public_version(pin):
    (specifier,) = pin.specifier
    assert specifier.operator == "=="
    assert Version(specifier.version).local is None, (
        "a local version such as +cpu is to be had in one place only"
    )
    assert pin.url is None
    assert not pin.extras


def test_constraints_hold_no_address_and_no_option():
    text = (ROOT / "constraints.txt").read_text()
    assert not re.search(r"://|^\s*-|@", text, re.MULTILINE)


@pytest.mark.parametrize("python", ["3.11.0", "3.12.0", "3.13.0"])
@pytest.mark.parametrize("requirement", DIRECT, ids=str)
def test_one_pin_applies_on_each_python(requirement, python):
    where = {
        "python_full_version": python,
        "python_version": python[:4],
        "sys_platform": "linux",
        "platform_machine": "x86_64",
        "implementation_name": "cpython",
    }
    applicable = [pin for pin in pins_of(requirement) if pin.marker is None or pin.marker.evaluate(where)]
    assert len(applicable) == 1, f"{len(applicable)} pins of {requirement.name} apply on Python {python}"


def test_environment_defers_to_pyproject_and_constraints():
    *conda, pip = ENVIRONMENT["dependencies"]
    assert conda == ["python=3.11", "pip"]
    assert pip == {"pip": ["-c constraints.txt", "-e .[book,dev]"]}
    assert ENVIRONMENT["name"] == NAME


def included_extras(name):
    """Return an extra and all extras that it brings along."""
    own = [requirement for requirement in map(Requirement, EXTRAS[name]) if requirement.name == NAME]
    return {name}.union(*(included_extras(other) for requirement in own for other in requirement.extras))


def test_the_environment_has_every_extra_but_those_to_opt_in_to():
    assert included_extras("book") | included_extras("dev") == set(EXTRAS) - OPTED_IN


def test_a_library_has_one_range():
    assert len({requirement.name for requirement in DIRECT}) == len(DIRECT)


def test_the_core_needs_four_libraries():
    assert {Requirement(text).name for text in PYPROJECT["project"]["dependencies"]} == CORE


def test_the_python_of_the_environment_is_allowed():
    python = ENVIRONMENT["dependencies"][0].split("=")[1]
    allowed = Requirement(f"python{PYPROJECT['project']['requires-python']}").specifier
    assert allowed.contains(f"{python}.0")


def test_make_installs_what_the_environment_installs():
    pip = ENVIRONMENT["dependencies"][-1]["pip"]
    line = f"{pip[0]} -e '{pip[1].removeprefix('-e ')}'"
    assert line in (ROOT / "Makefile").read_text()


def test_licence_citation_and_package_agree():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    project = PYPROJECT["project"]
    licence = (ROOT / "LICENSE").read_text()
    assert licence.startswith("MIT License")
    assert project["authors"] == citation["authors"] == [{"name": "The ntkd developers"}]
    assert "The ntkd developers" in licence
    assert (citation["license"], citation["version"]) == (project["license"], project["version"])
