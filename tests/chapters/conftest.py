"""Stand-in data for tests that name what they expect of them."""

import pytest

from ntkd_lib.data import registry


@pytest.fixture
def stand_in(monkeypatch, tmp_path):
    """Use stand-ins, whatever data this machine has."""
    monkeypatch.delenv("NTKD_DATA", raising=False)
    monkeypatch.setenv("NTKD_CACHE", str(tmp_path / "cache"))
    registry._locate.cache_clear()
    yield
    registry._locate.cache_clear()
