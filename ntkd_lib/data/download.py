"""Download official files: checked by size and hash, unpacked aside, moved into place whole at the end."""

import contextlib
import logging
import os
import secrets
import shutil
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ntkd_lib.data.catalogue import Download, OfficialDataset
from ntkd_lib.data.files import check_folder, unpack_gzip, unpack_tar
from ntkd_lib.data.settings import DataError
from ntkd_lib.lab.digest import sha256_file

ATTEMPTS = 3
PAUSE = 0.5
TIMEOUT = (5.0, 30.0)
_BLOCK = 1 << 16
_UNPACKED_LIMIT = 1 << 30
DEADLINE = 3.0
REMEMBER = 120.0
_ANSWERED: dict[str, bool] = {}


def host_of(url: str) -> str:
    """Return the scheme and host of a URL.

    >>> host_of("https://example.org/a/b.gz")
    'https://example.org'
    """
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def reachable_hosts(urls: Iterable[str], deadline: float = DEADLINE) -> frozenset[str]:
    """Probe all hosts in parallel within the deadline, each once per process; any HTTP response counts."""
    hosts = {host_of(url) for url in urls}
    # A name look-up has no time limit; a thread that is still stuck must not change the answer later.
    answers: dict[str, bool] = {}
    threads = [
        threading.Thread(target=_ask, args=(host, deadline, answers), daemon=True)
        for host in hosts - set(_ANSWERED)
    ]
    for thread in threads:
        thread.start()
    end = time.monotonic() + deadline
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    _ANSWERED.update({host: answers.get(host, False) for host in hosts - set(_ANSWERED)})
    return frozenset(host for host in hosts if _ANSWERED[host])


def _ask(host: str, deadline: float, answers: dict[str, bool]) -> None:
    import requests

    with contextlib.suppress(Exception):  # whatever goes wrong, the host did not answer
        requests.head(host + "/", timeout=deadline, allow_redirects=False)
        answers[host] = True


def recently_absent(cache_root: Path) -> bool:
    """Check whether another process recently had no network."""
    try:
        age = time.time() - (cache_root / ".no-network").stat().st_mtime
    except OSError:
        return False
    return 0 <= age < REMEMBER


def mark_absent(cache_root: Path) -> None:
    """Record for other processes that there is no network; ignored in a read-only cache."""
    with contextlib.suppress(OSError):
        cache_root.mkdir(parents=True, exist_ok=True)
        (cache_root / ".no-network").touch()


def install(dataset: OfficialDataset, cache_root: Path) -> Path:
    """Download a data set into the cache."""
    folder = cache_root / dataset.folder
    with scratch_folder(cache_root, dataset.name) as scratch:
        for download in dataset.downloads:
            _unpack(dataset, fetch(download, scratch), scratch / "content")
        _move_checked(dataset, scratch / "content", folder)
    return folder


def fetch(download: Download, folder: Path) -> Path:
    """Download one file, trying its addresses in turn and each of them up to `ATTEMPTS` times."""
    reachable = reachable_hosts(download.urls)
    reason = f"no network: {', '.join(sorted({host_of(url) for url in download.urls}))} did not answer"
    for url in download.urls:
        if host_of(url) in reachable:
            path, reason = _try_address(download, url, folder)
            if path:
                return path
    raise DataError(f"{download.name}: {reason}")


def _try_address(download: Download, url: str, folder: Path) -> tuple[Path | None, str]:
    import requests

    reason = ""
    for attempt in range(ATTEMPTS):
        time.sleep(attempt * PAUSE)
        try:
            return _retrieve(download, url, folder), ""
        except requests.HTTPError as error:
            reason = f"{host_of(url)} answered {error.response.status_code}"
            if error.response.status_code < 500:  # asking again would not help
                break
        except requests.RequestException as error:
            reason = f"{host_of(url)} broke off ({type(error).__name__})"
        except ValueError as error:
            reason = f"{host_of(url)} sent {_one_line(error)}"
    return None, reason


def _one_line(error: ValueError) -> str:
    text = str(error).splitlines()[0]
    return "a file whose MD5 is wrong" if "hash" in text.lower() and "SHA" not in text else text


def _retrieve(download: Download, url: str, folder: Path) -> Path:
    import pooch

    # pooch prints each download to stderr, which the progress bar does already
    pooch.get_logger().setLevel(logging.WARNING)
    pin, stream = f"md5:{download.md5}", partial(_stream, download)
    path = Path(pooch.retrieve(url, pin, fname=download.name, path=folder, downloader=stream))
    if sha256_file(path) != download.sha256:
        path.unlink()
        raise ValueError("a file whose SHA-256 is wrong")
    return path


def _stream(download: Download, url: str, output_file: str, _pooch: Any) -> None:
    """Stream a URL into a file, at most the size of the pinned file."""
    import requests
    from tqdm import tqdm

    name, size, received = download.name, download.size, 0
    headers = {"Accept-Encoding": "identity"}
    with requests.get(url, stream=True, timeout=TIMEOUT, headers=headers) as response:
        response.raise_for_status()
        bar = tqdm(total=size, unit="B", unit_scale=True, desc=name, disable=None, leave=False)
        with bar, Path(output_file).open("wb") as output:
            for block in response.iter_content(_BLOCK):
                received += len(block)
                if received > size:
                    break
                output.write(block)
                bar.update(len(block))
    if received != size:
        raise ValueError(f"{'more than ' if received > size else f'{received:,} of '}{size:,} bytes")


def _unpack(dataset: OfficialDataset, packed: Path, into: Path) -> None:
    into.mkdir(exist_ok=True)
    if dataset.layout == "idx":
        shutil.copyfile(packed, into / packed.name)
        unpack_gzip(packed, into / packed.stem, _UNPACKED_LIMIT)
    else:
        unpack_tar(packed, into.parent / "tar", _UNPACKED_LIMIT)
        for path in (into.parent / "tar" / Path(dataset.folder).name).iterdir():
            path.replace(into / path.name)


def _move_checked(dataset: OfficialDataset, source: Path, folder: Path) -> None:
    state = check_folder(dataset, source)
    if not state.complete:
        bad = [*state.missing, *(path.name for path in state.damaged)]
        raise DataError(f"{dataset.name}: the official archive lacks or has changed {', '.join(bad)}")
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(source.iterdir()):
        with path.open("rb") as handle:
            os.fsync(handle.fileno())
        path.replace(folder / path.name)


@contextlib.contextmanager
def scratch_folder(cache_root: Path, name: str) -> Iterator[Path]:
    """Make a folder in the cache that is gone afterwards; a full or locked disk is one line."""
    folder = cache_root / f".partial-{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
    try:
        cache_root.mkdir(parents=True, exist_ok=True)
        _sweep(cache_root)
        folder.mkdir()
        yield folder
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise DataError(f"{name}: the cache cannot be written ({reason}); set NTKD_CACHE") from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _sweep(cache_root: Path) -> None:
    """Remove partial folders of dead processes of this host; other hosts may share the cache."""
    import psutil

    start = f".partial-{socket.gethostname()}-"
    for path in cache_root.glob(".partial-*"):
        pid = path.name.removeprefix(start).split("-")[0]
        if path.name.startswith(start) and pid.isdigit() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(path, ignore_errors=True)
