"""Where cells run: in this process, or in worker processes of this machine."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Executor, Future
from typing import Any, ClassVar, Self

from ntkd_lib.lab.worker import THREAD_VARIABLES, Job, Outcome, run_job, start_worker

_IDLE = 300.0  # seconds after which a worker process that has nothing to do ends


def cpu_count() -> int:
    """Count the cores that this process may use."""
    from joblib import cpu_count as count

    return count()


class Pool:
    """This process, one cell at a time; other pools differ in where they submit jobs."""

    workers = 1  # cells that run at a time
    patience: float | None = None  # seconds between calls of `check`, if it is needed

    def __enter__(self) -> Self:
        """Begin a run."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop what is still under way."""

    def check(self) -> None:
        """Look whether there are workers."""

    def submit(self, job: Job) -> Future[Any]:
        """Start a job, whose needs are in the store."""
        future: Future[Outcome] = Future()
        future.set_result(run_job(job.pack()))
        return future

    def outcome(self, job: Job, future: Future[Any]) -> Outcome | None:  # noqa: ARG002 - of others
        """Read what became of a job that ended; nothing if its worker process died."""
        return future.result()


class Processes(Pool):
    """Worker processes, an executor each, so that the death of one is that of one cell."""

    _spare: ClassVar[dict[tuple[str, ...], list[Executor]]] = {}  # of earlier runs, by module path

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._path = tuple(sys.path)
        self._busy: dict[Future[Any], Executor] = {}
        for path in self._spare.keys() - {self._path}:  # they would find other modules
            for executor in self._spare.pop(path):
                executor.shutdown(wait=False)
        self._free = self._spare.setdefault(self._path, [])

    def __exit__(self, *_: object) -> None:
        """Kill the workers that are not free."""
        for executor in self._busy.values():
            executor.shutdown(wait=True, kill_workers=True)

    def submit(self, job: Job) -> Future[Any]:
        """Start a job in a process that is free, or in a new one."""
        with _deaf_to_ctrl_c():
            while True:
                executor = self._free.pop() if self._free else self._start()
                with contextlib.suppress(BrokenExecutor):  # it died while it had nothing to do
                    future = executor.submit(run_job, job.pack())
                    break
        self._busy[future] = executor
        return future

    def outcome(self, job: Job, future: Future[Any]) -> Outcome | None:  # noqa: ARG002
        """Read what became of a job, and free its process."""
        executor = self._busy.pop(future)
        with contextlib.suppress(BrokenExecutor):
            outcome = future.result()
            self._free.append(executor)
            return outcome
        return None

    def _start(self) -> Executor:
        from joblib.externals.loky import ProcessPoolExecutor  # starts no `__main__`, can kill its workers

        return ProcessPoolExecutor(
            1,
            timeout=_IDLE,
            initializer=start_worker,
            initargs=(os.getpid(), self._path),
            env=dict.fromkeys(THREAD_VARIABLES, "1"),
        )


@contextlib.contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    # A terminal sends Ctrl-C to all processes of a command. A worker that is started while it is ignored
    # ignores it from its first moment, and so does not fill the terminal with tracebacks.
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set, and only there does Ctrl-C arrive
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
