"""Downloads from a local server that breaks off, lies, or is not there."""

import io
import os
import pickle
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from ntkd_lib.data import download
from ntkd_lib.data.download import fetch, install
from ntkd_lib.data.files import check_folder
from ntkd_lib.data.settings import DataError

NAME = "train-images-idx3-ubyte.gz"


def files_below(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def first(idx_dataset):
    return idx_dataset.dataset.downloads[0]


def test_install_puts_packed_and_unpacked_files_in_place(tmp_path, idx_dataset):
    folder = install(idx_dataset.dataset, tmp_path)
    assert folder == tmp_path / "MNIST/raw"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        **idx_dataset.raw,
        **idx_dataset.packed,
    }
    assert [path.name for path in tmp_path.iterdir()] == ["MNIST"], "no scratch folder is left"


def test_install_unpacks_an_archive(tmp_path, cifar_dataset):
    folder = install(cifar_dataset.dataset, tmp_path)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == cifar_dataset.raw


@pytest.mark.parametrize("fault", ["cut", "half", "wrong", "long", "500"])
def test_one_failure_is_tried_again(tmp_path, idx_dataset, server, fault):
    server.faults[NAME] = [fault, fault]
    path = fetch(first(idx_dataset), tmp_path)
    assert path.read_bytes() == idx_dataset.packed[NAME]
    assert server.requests == [NAME] * 3
    assert files_below(tmp_path) == [NAME]


@pytest.mark.parametrize(
    "fault, said",
    [
        ("cut", r"http://127\.0\.0\.1:\d+ broke off \(\w+\)"),
        ("half", r"http://127\.0\.0\.1:\d+ sent [\d,]+ of [\d,]+ bytes"),
        ("long", r"http://127\.0\.0\.1:\d+ sent more than [\d,]+ bytes"),
        ("wrong", r"http://127\.0\.0\.1:\d+ sent a file whose MD5 is wrong"),
        ("500", r"http://127\.0\.0\.1:\d+ answered 500"),
    ],
)
def test_lasting_failure_is_one_line_and_leaves_nothing(tmp_path, idx_dataset, server, fault, said):
    server.faults[NAME] = [fault] * 9
    with pytest.raises(DataError, match=rf"^train-images-idx3-ubyte\.gz: {said}$"):
        install(idx_dataset.dataset, tmp_path)
    assert server.requests == [NAME] * download.ATTEMPTS
    assert not list(tmp_path.iterdir())


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_is_drawn_on_a_terminal_only(tmp_path, idx_dataset, monkeypatch):
    terminal, log = Terminal(), io.StringIO()
    for stream, folder in ((terminal, tmp_path / "a"), (log, tmp_path / "b")):
        monkeypatch.setattr(sys, "stderr", stream)
        fetch(first(idx_dataset), folder)
    assert NAME in terminal.getvalue()
    assert not log.getvalue()


def test_not_found_is_not_asked_again(tmp_path, idx_dataset, server):
    del server.files[NAME]
    with pytest.raises(DataError, match=r"gz: http://127\.0\.0\.1:\d+ answered 404$"):
        fetch(first(idx_dataset), tmp_path)
    assert server.requests == [NAME]


def test_next_address_is_tried(tmp_path, idx_dataset, server):
    official = first(idx_dataset)
    moved = replace(official, urls=(f"{server.url}/gone", "http://127.0.0.1:9/x", *official.urls))
    assert fetch(moved, tmp_path).read_bytes() == idx_dataset.packed[NAME]


def test_right_md5_is_not_enough(tmp_path, idx_dataset):
    forged = replace(first(idx_dataset), sha256="0" * 64)
    with pytest.raises(DataError, match=r"sent a file whose SHA-256 is wrong$"):
        fetch(forged, tmp_path)
    assert not files_below(tmp_path)


def test_archive_with_other_contents_never_gets_in_place(tmp_path, cifar_dataset):
    contents = [replace(content, sha256="0" * 64) for content in cifar_dataset.dataset.contents[:1]]
    changed = replace(cifar_dataset.dataset, contents=(*contents, *cifar_dataset.dataset.contents[1:]))
    with pytest.raises(
        DataError, match=r"^cifar-10: the official archive lacks or has changed batches\.meta$"
    ):
        install(changed, tmp_path)
    assert not list(tmp_path.iterdir())


def test_no_network_is_one_line(tmp_path, idx_dataset):
    closed = replace(first(idx_dataset), urls=("http://127.0.0.1:9/x",))
    with pytest.raises(DataError, match=r"gz: no network: http://127\.0\.0\.1:9 did not answer$"):
        fetch(closed, tmp_path)


def test_cache_that_cannot_be_written_is_one_line(tmp_path, idx_dataset):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(
        DataError, match=r"^mnist: the cache cannot be written \(File exists\); set NTKD_CACHE$"
    ):
        install(idx_dataset.dataset, tmp_path / "file")


def test_disk_that_fills_up_is_one_line(tmp_path, idx_dataset, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(download.shutil, "copyfile", full)
    with pytest.raises(DataError, match=r"^mnist: the cache cannot be written \(No space left on device\)"):
        install(idx_dataset.dataset, tmp_path)
    assert not list(tmp_path.iterdir())


INSTALL = """
import pickle, sys
from pathlib import Path
from ntkd_lib.data.download import install
install(pickle.loads(Path(sys.argv[1]).read_bytes()), Path(sys.argv[2]))
"""


def test_killed_download_leaves_no_final_file_and_the_next_one_finishes(tmp_path, idx_dataset, server):
    late = "t10k-images-idx3-ubyte.gz"
    server.faults[late] = ["hang"]
    (tmp_path / "dataset").write_bytes(pickle.dumps(idx_dataset.dataset))
    cache = tmp_path / "cache"
    process = subprocess.Popen(
        [sys.executable, "-c", INSTALL, str(tmp_path / "dataset"), str(cache)],
        cwd=Path(download.__file__).parents[2],
    )
    assert server.hanging.wait(20)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    server.release.set()

    assert [path.name.split("-")[0] for path in cache.iterdir()] == [".partial"], "nothing has a final name"
    folder = install(idx_dataset.dataset, cache)
    assert check_folder(idx_dataset.dataset, folder).complete
    assert [path.name for path in cache.iterdir()] == ["MNIST"], "the leftover is swept away"


def test_partial_folders_of_other_hosts_and_living_processes_stay(tmp_path, idx_dataset):
    kept = [".partial-elsewhere-1-ab", f".partial-{download.socket.gethostname()}-{os.getpid()}-ab"]
    for name in kept:
        (tmp_path / name).mkdir()
    install(idx_dataset.dataset, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*kept, "MNIST"])


def test_several_at_once_do_not_hurt_each_other(tmp_path, cifar_dataset):
    with ThreadPoolExecutor(4) as pool:
        folders = list(pool.map(lambda _: install(cifar_dataset.dataset, tmp_path), range(4)))
    assert set(folders) == {tmp_path / "cifar-10-batches-py"}
    assert {path.name: path.read_bytes() for path in folders[0].iterdir()} == cifar_dataset.raw
    assert [path.name for path in tmp_path.iterdir()] == ["cifar-10-batches-py"]


def test_damaged_file_in_the_cache_is_replaced(tmp_path, idx_dataset):
    folder = install(idx_dataset.dataset, tmp_path)
    for name in ("train-images-idx3-ubyte", NAME):
        (folder / name).write_bytes(b"damaged")
    assert not check_folder(idx_dataset.dataset, folder).complete
    download._ANSWERED.clear()
    assert check_folder(idx_dataset.dataset, install(idx_dataset.dataset, tmp_path)).complete
