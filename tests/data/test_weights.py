"""Weights are found where the user has put them, or said to be missing."""

import hashlib
import pickle
from dataclasses import replace

import numpy as np
import pytest

from ntkd_lib.data import registry
from ntkd_lib.data.catalogue import Content
from ntkd_lib.data.files import unpickle_arrays
from ntkd_lib.data.settings import DataError

ARRAYS = {"layer": {"kernel": np.arange(6.0, dtype=np.float32).reshape(2, 3)}}


@pytest.fixture
def small():
    """Weights of one small file."""
    raw = pickle.dumps(ARRAYS, 3)
    registry.find_weights.cache_clear()
    yield replace(registry.LPIPS, contents=(Content("alexnet.ckpt", hashlib.sha256(raw).hexdigest(), ""),))
    registry.find_weights.cache_clear()


def test_weights_in_the_cache_hold_what_was_packed(small, tmp_path, fill):
    fill(tmp_path / "cache" / "lpips", {"alexnet.ckpt": pickle.dumps(ARRAYS, 3)})
    located, reason = registry.find_weights(small)
    assert (located.source, reason) == ("cache", "")
    found = unpickle_arrays((located.path / "alexnet.ckpt").read_bytes(), "alexnet.ckpt")
    assert np.array_equal(found["layer"]["kernel"], ARRAYS["layer"]["kernel"])


def test_weights_of_the_users_folder_come_first(small, tmp_path, monkeypatch, fill):
    fill(tmp_path / "cache" / "lpips", {"alexnet.ckpt": pickle.dumps(ARRAYS, 3)})
    fill(tmp_path / "mine" / "lpips", {"alexnet.ckpt": pickle.dumps(ARRAYS, 3)})
    monkeypatch.setenv("NTKD_DATA", str(tmp_path / "mine"))
    located, _ = registry.find_weights(small)
    assert located.source == "NTKD_DATA"


def test_missing_weights_are_said_to_be_missing_even_where_data_are_required(small, monkeypatch):
    monkeypatch.setenv("DATA", "require")
    located, reason = registry.find_weights(small)
    assert located is None
    assert reason == "NTKD_DATA is not set; not in the cache"


def test_damaged_weights_of_the_user_are_refused(small, tmp_path, monkeypatch, fill):
    fill(tmp_path / "mine" / "lpips", {"alexnet.ckpt": b"else"})
    monkeypatch.setenv("NTKD_DATA", str(tmp_path / "mine"))
    with pytest.raises(DataError, match=r"lpips-alexnet: .*alexnet\.ckpt is damaged \(wrong SHA-256\)"):
        registry.find_weights(small)


def test_pickles_that_ask_for_more_than_arrays_are_refused():
    with pytest.raises(
        DataError, match=r"net cannot be unpickled: it asks for .*; only NumPy arrays are allowed"
    ):
        unpickle_arrays(pickle.dumps(print), "net")
