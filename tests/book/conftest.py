"""One built book for all tests of this folder; a test that changes something gets a copy."""

import shutil
from functools import cache

import pytest

from ntkd_lib.pipeline import book, tangent_page
from tests.book import fake
from tests.once import make_once


def _enter(patch, folder):
    patch.setenv("NTKD_ROOT", str(folder / "project"))
    patch.setenv("NTKD_BUILD", str(folder / "build"))
    patch.setattr(book, "check_seal", lambda layout, name: [])
    patch.setattr(tangent_page, "show", fake.draw_once)


@pytest.fixture(scope="session")
def _built(tmp_path_factory):
    """Build the book of the small project with stand-in data, once."""
    return _build(tmp_path_factory.getbasetemp())


@cache  # for the tests of other folders that take these fixtures
def _build(base):
    return make_once(base, "book in a folder, für Größe", _make)


def _make(folder):
    with pytest.MonkeyPatch.context() as patch:
        _enter(patch, folder)
        fake.copy_project(folder / "project")
        fake.write_runs("standin")
        book.build_book(fake.TIER)


@pytest.fixture
def built(_built, monkeypatch):
    """Give the built project to a test that only reads it."""
    _enter(monkeypatch, _built)
    return _built


@pytest.fixture
def own(_built, tmp_path, monkeypatch):
    """Give a test a copy of the built project, at another place."""
    shutil.copytree(_built, tmp_path / "own")
    _enter(monkeypatch, tmp_path / "own")
    return tmp_path / "own"
