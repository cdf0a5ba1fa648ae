"""Reach a Dask cluster, and check that it can do cells before any is sent."""

import contextlib
import re
import secrets
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ntkd_lib.lab.atomic import write_text
from ntkd_lib.lab.cells import CellError

if TYPE_CHECKING:
    from distributed import Client

_ADDRESS = re.compile(r"(?P<protocol>tcp|tls|ws|wss|ucx)://(?P<host>[^\s:/]+):(?P<port>\d{1,5})")
_LONGEST_GREETING = 1 << 20  # bytes; the text of another protocol reads as a far larger number


class SchedulerError(CellError):
    """A cluster cannot be used; the text is one line."""


@contextlib.contextmanager
def connected(address: str, store: Path, timeout: float = 10.0) -> Iterator["Client"]:
    """Connect to a scheduler whose workers have `ntkd_lib` and see the store.

    Args:
        store: folder of the cell store.
        timeout: seconds to wait for the scheduler, and for a first worker.

    Yields:
        a client that is closed afterwards.

    Raises:
        SchedulerError: where the address is ill-formed, nobody answers, or the workers cannot do cells.
    """
    probe(address)
    try:
        from distributed import Client
    except ImportError as error:
        raise SchedulerError(
            "scheduler: the package 'distributed' is missing; install ntkd[cluster]"
        ) from error
    try:
        client = Client(address, timeout=timeout, set_as_default=False)
    except OSError as error:
        raise SchedulerError(f"scheduler {address}: no answer within {timeout:g} s") from error
    with client:
        _check_workers(client, address, store, timeout)
        yield client


def probe(address: str, timeout: float = 4.0) -> None:
    """Refuse an address at which no Dask scheduler answers, within seconds: its own client waits for minutes.

    Raises:
        SchedulerError: where the address is ill-formed, or nobody speaks Dask's protocol there.
    """
    match = _ADDRESS.fullmatch(address)
    if not match:
        raise SchedulerError(f"scheduler {address!r}: give it as tcp://host:port")
    greeting: list[bytes] = []
    probing = threading.Thread(target=_greet, args=(match, timeout / 2, greeting), daemon=True)
    probing.start()
    probing.join(timeout)  # a name is looked up without any limit of time
    size = int.from_bytes(greeting[0], "little") if greeting else 0
    if match["protocol"] in ("tcp", "tls") and not 0 < size < _LONGEST_GREETING:
        raise SchedulerError(f"scheduler {address}: no Dask scheduler answers there")


def _greet(address: re.Match[str], timeout: float, greeting: list[bytes]) -> None:
    """Read the length that a scheduler sends first; one with TLS waits for the client to begin."""
    with contextlib.suppress(OSError):
        place = (address["host"], int(address["port"]))
        with socket.create_connection(place, timeout) as connection:
            connection.settimeout(timeout)
            greeting.append(b"\1" if address["protocol"] == "tls" else connection.recv(8))


def parallel_on(client: "Client", **settings: Any) -> Any:
    """Make a `joblib.Parallel` whose calls of `run_job` run on a cluster."""
    from joblib import Parallel, parallel_config, register_parallel_backend

    from ntkd_lib.lab.dask_backend import Backend

    register_parallel_backend("ntkd-dask", Backend)
    with parallel_config(backend="ntkd-dask", client=client):
        return Parallel(n_jobs=-1, **settings)


def sees(marker: str, token: str) -> bool:
    """Tell whether a marker file is visible here, with its content.

    Returns:
        True where this machine sees the same folder.
    """
    with contextlib.suppress(OSError):
        return Path(marker).read_text("ascii") == token
    return False


def _check_workers(client: "Client", address: str, store: Path, timeout: float) -> None:
    try:
        client.wait_for_workers(1, timeout=timeout)
    except TimeoutError as error:
        raise SchedulerError(f"scheduler {address}: no worker within {timeout:g} s") from error
    token = secrets.token_hex(16)
    marker = store.absolute() / f".shared-{token[:8]}"
    write_text(marker, token)
    try:
        answers = client.run(sees, str(marker), token)
    except ImportError as error:
        raise SchedulerError(f"scheduler {address}: a worker cannot load ntkd_lib: {error}") from error
    finally:
        marker.unlink()
    if blind := sorted(worker for worker, seen in answers.items() if not seen):
        raise SchedulerError(
            f"scheduler {address}: worker {blind[0]} does not see the cell store {store.name!r}; "
            "put it on a folder that all machines share ($NTKD_BUILD)"
        )
