"""Check within a fixed time which hosts respond."""

import contextlib
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

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


def forget_hosts() -> None:
    """Probe every host again the next time."""
    _ANSWERED.clear()


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
