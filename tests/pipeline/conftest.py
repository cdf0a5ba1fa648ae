"""One toy project that is run once; a test that changes something gets a copy."""

from functools import cache

import pytest

from tests.once import make_once
from tests.pipeline.toy import Toy, make_toy


@pytest.fixture(scope="session")
def ran(tmp_path_factory):
    """Give a toy project that has been run on the smoke tier; only to be read."""
    return _run_once(tmp_path_factory.getbasetemp())


@cache  # for the tests of other folders that take these fixtures
def _run_once(base):
    return Toy(make_once(base, "toy in a folder, für Größe", _make))


def _make(folder):
    done = make_toy(folder).run()
    assert done.returncode == 0, done.stderr


@pytest.fixture
def own(ran, tmp_path):
    """Give a copy of the run project, at another place."""
    return ran.copy(tmp_path / "own")


@pytest.fixture
def fresh(tmp_path):
    """Give a toy project that has never been run."""
    return make_toy(tmp_path / "fresh")


@pytest.fixture
def inside(ran, monkeypatch):
    """Look at the run project from this process."""
    monkeypatch.setenv("NTKD_ROOT", str(ran.root))
    monkeypatch.setenv("NTKD_BUILD", str(ran.build))
    monkeypatch.syspath_prepend(str(ran.root / "src"))
    return ran
