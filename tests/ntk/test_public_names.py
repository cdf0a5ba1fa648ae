"""The names that `ntkd_lib.ntk` offers."""

import importlib

import pytest

import ntkd_lib.ntk


@pytest.mark.parametrize("name", ntkd_lib.ntk.__all__)
def test_public_names_are_the_objects_of_their_modules(name: str) -> None:
    found = getattr(ntkd_lib.ntk, name)
    assert getattr(importlib.import_module(found.__module__), name) is found


def test_other_names_are_refused() -> None:
    with pytest.raises(AttributeError, match=r"module 'ntkd_lib\.ntk' has no attribute 'nothing'"):
        _ = ntkd_lib.ntk.nothing
