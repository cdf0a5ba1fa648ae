"""Where cells run: this process, worker processes of this machine, or a Dask cluster, checked beforehand."""

import contextlib
import os
import re
import secrets
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from ntkd_lib.lab.atomic import write_text
from ntkd_lib.lab.cells import CellError, code_identity
from ntkd_lib.lab.store import CellStore
from ntkd_lib.lab.worker import DIED, THREAD_VARIABLES, Job, one_line, run_job, start_worker

if TYPE_CHECKING:
    from distributed import Client


class Pool(contextlib.AbstractContextManager):
    """This process, one cell at a time; other pools differ in where they submit jobs."""

    workers = 1  # cells that run at a time
    patience: float | None = None  # seconds between calls of `check`, if it is needed

    def __init__(self, task: Callable[[Any], str] = run_job) -> None:
        self.task = task  # does a job, and returns one line of error or nothing

    def __exit__(self, *_: object) -> None:
        """Stop what is still under way."""

    def check(self) -> None:
        """Look whether there are workers."""

    def submit(self, job: Any) -> Future[Any]:
        """Start a job, whose needs are in the store."""
        future: Future[str] = Future()
        future.set_result(self.task(job))
        return future

    def read_error(self, job: Any, future: Future[Any]) -> str | None:  # noqa: ARG002 - of others
        """Read the error of a job that ended, empty if it has none; None if its worker process died."""
        return future.result()


class Processes(Pool):
    """Worker processes, an executor each, so that the death of one is that of one cell."""

    _spare: ClassVar[dict[tuple[str, ...], list[Executor]]] = {}  # of earlier runs, by module path

    def __init__(self, workers: int, task: Callable[[Any], str] = run_job) -> None:
        super().__init__(task)
        self.workers = workers
        self._busy: dict[Future[Any], Executor] = {}
        for path in self._spare.keys() - {tuple(sys.path)}:  # they would find other modules
            for executor in self._spare.pop(path):
                executor.shutdown(wait=False, kill_workers=True)
        self._free = self._spare.setdefault(tuple(sys.path), [])

    def __exit__(self, *_: object) -> None:
        for executor in self._busy.values():
            executor.shutdown(wait=True, kill_workers=True)

    def submit(self, job: Any) -> Future[Any]:
        """Start a job in a process that is free, or in a new one."""
        with _deaf_to_ctrl_c():
            while True:
                executor = self._free.pop() if self._free else self._start()
                with contextlib.suppress(BrokenExecutor):  # it died while it had nothing to do
                    future = executor.submit(self.task, job)
                    self._busy[future] = executor  # before Ctrl-C is heard again, which stops the busy ones
                    return future

    def read_error(self, job: Any, future: Future[Any]) -> str | None:  # noqa: ARG002
        """Read the error of a job, and free its process."""
        executor = self._busy.pop(future)
        with contextlib.suppress(BrokenExecutor):
            error = future.result()
            self._free.append(executor)
            return error
        return None

    def _start(self) -> Executor:
        from joblib.externals.loky import ProcessPoolExecutor  # starts no `__main__`, can kill its workers

        start = {"initializer": start_worker, "initargs": (os.getpid(), tuple(sys.path))}
        return ProcessPoolExecutor(1, timeout=_IDLE, **start, env=dict.fromkeys(THREAD_VARIABLES, "1"))


@contextlib.contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    # A terminal sends Ctrl-C to all processes of a command. A worker that is started while it is ignored
    # ignores it from its first moment, and so does not fill the terminal with tracebacks.
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set, and only there does Ctrl-C arrive
        return
    before = signal.getsignal(signal.SIGINT)
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        yield
    finally:
        signal.signal(signal.SIGINT, before)


_ADDRESS = re.compile(r"(?P<protocol>tcp|tls|ws|wss|ucx)://(?P<host>[^\s:/]+):(?P<port>\d{1,5})")
_IDLE = 300.0  # seconds after which a worker process that has nothing to do ends
_GONE = "scheduler: it, or its last worker, is gone; run again to go on"
_LONGEST_GREETING = 1 << 20  # bytes; the text of another protocol reads as a far larger number


@contextlib.contextmanager
def connected(address: str, jobs: Iterable[Job] = (), timeout: float = 10.0) -> Iterator["Cluster"]:
    """Connect to a scheduler whose workers run the same code, or say why not by a `CellError`."""
    probe(address)
    try:
        import dask
        from distributed import Client
    except ImportError as error:
        raise CellError("scheduler: package 'distributed' is missing; install ntkd[cluster]") from error
    with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1GB"}):  # records go along
        try:
            client = Client(address, timeout=timeout, set_as_default=False)
        except OSError as error:
            raise CellError(f"scheduler {address}: no answer within {timeout:g} s") from error
        with client:
            _check_workers(client, address, jobs, timeout)
            yield Cluster(client)


def probe(address: str, timeout: float = 4.0) -> None:
    """Refuse within seconds an address at which no Dask scheduler answers; its client waits for minutes."""
    match = _ADDRESS.fullmatch(address)
    if not match:
        raise CellError(f"scheduler {address!r}: give it as tcp://host:port")
    greeting: list[bytes] = []
    probing = threading.Thread(target=_greet, args=(match, timeout / 2, greeting), daemon=True)
    probing.start()
    probing.join(timeout)  # a name is looked up without any limit of time
    size = int.from_bytes(greeting[0], "little") if greeting else 0
    if match["protocol"] in ("tcp", "tls") and not 0 < size < _LONGEST_GREETING:
        raise CellError(f"scheduler {address}: no Dask scheduler answers there")


def _greet(address: re.Match[str], timeout: float, greeting: list[bytes]) -> None:
    """Read the length that a scheduler sends first; one with TLS waits for the client to begin."""
    with contextlib.suppress(OSError):
        place = (address["host"], int(address["port"]))
        with socket.create_connection(place, timeout) as connection:
            connection.settimeout(timeout)
            greeting.append(b"\1" if address["protocol"] == "tls" else connection.recv(8))


class Cluster(Pool):
    """The workers of a Dask cluster; records travel with the jobs, so no folder needs to be shared."""

    longest_absence = 30.0  # seconds in which a worker must come back
    patience = 0.5

    def __init__(self, client: "Client") -> None:
        self._client = client
        self._executor = client.get_executor(pure=False, retries=2)
        self._seen = time.monotonic()
        self.check()

    def check(self) -> None:
        """Count the workers; each runs one cell at a time, however many threads it has."""
        try:
            workers = len(self._client.ncores())
        except (OSError, RuntimeError):  # not connected, or closing
            workers = 0
        if workers:
            self.workers, self._seen = workers, time.monotonic()
        elif time.monotonic() - self._seen > self.longest_absence:
            raise CellError(_GONE)

    def submit(self, job: Job) -> Future[Any]:
        """Send a job with the records that it needs; the dashboard shows it by its cell's name."""
        store = CellStore(job.store)
        needs = {key: store.files(key) for key in job.parts["needs"].values()}
        name = f"{job.name}-{secrets.token_hex(16)}"
        return self._executor.submit(run_apart, job, needs, key=name)

    def read_error(self, job: Job, future: Future[Any]) -> str:
        """Take the record that a job left into the store."""
        from distributed import KilledWorker

        try:
            line, files, trace = future.result()
            store = CellStore(job.store)
            if trace:
                write_text(store.error_file(job.key), trace)
            else:
                store.adopt(job.key, files)
        except CancelledError as error:  # with the connection to the scheduler
            raise CellError(_GONE) from error
        except KilledWorker:
            return DIED
        except Exception as error:
            return one_line(error)
        return line


def run_apart(job: Job, needs: Mapping[str, Mapping[str, bytes]]) -> tuple[str, dict[str, bytes], str]:
    """Run a job in a folder of its own; return its error, the files of its record, and the traceback."""
    with tempfile.TemporaryDirectory(prefix="ntkd-") as folder:
        store = CellStore(folder)
        for key, files in needs.items():
            store.adopt(key, files)
        if error := run_job(replace(job, store=folder)):
            return error, {}, store.error_file(job.key).read_text("utf-8")
        return "", store.files(job.key), ""


def code_here(modules: Sequence[str]) -> dict[str, str]:
    """Name the versions of Python and its libraries, and the digest of modules' code."""
    code = code_identity(modules, fresh=True)
    return {**code["versions"], "digest of the code": code["sources"]}


def _check_workers(client: "Client", address: str, jobs: Iterable[Job], timeout: float) -> None:
    try:
        client.wait_for_workers(1, timeout=timeout)
    except TimeoutError as error:
        raise CellError(f"scheduler {address}: no worker within {timeout:g} s") from error
    modules = sorted({job.parts["work"].partition(":")[0] for job in jobs} | {__name__})
    here = code_here(modules)
    for worker, there in sorted(client.run(code_here, modules, on_error="return").items()):
        if isinstance(there, Exception):
            raise CellError(f"scheduler {address}: worker {worker} cannot do cells: {one_line(there)}")
        if differences := [
            f"{name} {there.get(name)!s:.12} (here {here[name]!s:.12})"
            for name in here
            if there.get(name) != here[name]
        ]:
            raise CellError(f"scheduler {address}: worker {worker} has {', '.join(differences)}")
