"""Environment variables: what is allowed, and one line for what is not."""

from pathlib import Path

import pytest

from ntkd_lib.data.settings import DataError, read_settings


def test_defaults(monkeypatch, tmp_path):
    for name in ("NTKD_OFFLINE", "NTKD_CACHE"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    settings = read_settings()
    assert settings.data_root is None
    assert settings.offline is None
    assert not settings.required
    assert settings.cache_root.name == "ntkd"
    assert settings.cache_root.is_absolute()


@pytest.mark.parametrize(
    "text, offline", [("1", True), ("true", True), ("YES", True), ("0", False), ("", None)]
)
def test_offline(monkeypatch, text, offline):
    monkeypatch.setenv("NTKD_OFFLINE", text)
    assert read_settings().offline is offline


def test_unknown_offline_is_refused(monkeypatch):
    monkeypatch.setenv("NTKD_OFFLINE", "maybe")
    with pytest.raises(DataError, match=r"^NTKD_OFFLINE=maybe is not known; allowed: 1 "):
        read_settings()


@pytest.mark.parametrize(
    "text, required", [("require", True), ("Require ", True), ("", False), ("/home/data", False)]
)
def test_require(monkeypatch, text, required):
    monkeypatch.setenv("DATA", text)
    assert read_settings().required is required


@pytest.mark.parametrize("text", ["required", "requre", "requires"])
def test_misspelt_require_is_refused(monkeypatch, text):
    monkeypatch.setenv("DATA", text)
    with pytest.raises(
        DataError, match=f"^DATA={text} is not known; allowed: require, or unset; nearest: require$"
    ):
        read_settings()


def test_data_root_must_exist(monkeypatch, tmp_path):
    monkeypatch.setenv("NTKD_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(
        DataError, match=r"^NTKD_DATA=.*nowhere is not a folder; give one that holds MNIST/raw"
    ):
        read_settings()


def test_relative_and_home_folders_are_made_absolute(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NTKD_CACHE", "~/caché with space")
    monkeypatch.setenv("NTKD_DATA", ".")
    settings = read_settings()
    assert settings.cache_root == tmp_path / "caché with space"
    assert settings.data_root == Path(tmp_path)
