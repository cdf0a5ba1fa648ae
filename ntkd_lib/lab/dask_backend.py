"""joblib's Dask back end, made to end where a task or the whole cluster is lost.

Alone, joblib's waits for ever for a task that Dask has given up, and for workers that do not come back.
"""

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from distributed import CancelledError, KilledWorker
from joblib._dask import DaskDistributedBackend

from ntkd_lib.lab.cluster import SchedulerError
from ntkd_lib.lab.worker import DIED, Outcome, one_line

_GONE = "scheduler: it, or its last worker, is gone; run again to go on"


class Backend(DaskDistributedBackend):
    """Send calls of `run_job`, one a batch, to a cluster."""

    patience = 30.0  # seconds to wait for a worker to come back

    def effective_n_jobs(self, n_jobs: int) -> int:  # noqa: ARG002 - the cluster's size counts
        """Count the cluster's cores, at least two: for one, joblib would run the calls here.

        Args:
            n_jobs: what joblib was asked for.

        Raises:
            SchedulerError: where there is no worker and none comes.
        """
        try:
            self.client.wait_for_workers(1, timeout=self.patience)
            return max(2, sum(self.client.ncores().values()))
        except OSError as error:
            raise SchedulerError(_GONE) from error

    def start_call(self) -> None:
        """Begin to watch for the loss of all workers."""
        super().start_call()
        self._waiting: dict[Future, Callable[[Any], None]] = {}
        self._stopped = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def stop_call(self) -> None:
        """End the watch."""
        self._stopped.set()
        super().stop_call()

    def submit(self, func: Any, callback: Callable[[Any], None] | None = None) -> Future:
        """Send a batch; a task that is given up has the outcome of a failed cell.

        Args:
            func: joblib's batch of one call.
        """
        future = super().submit(func, callback)
        if callback is not None:
            ((_, (packed,), _),) = func.items
            self._waiting[future] = callback
            future.add_done_callback(lambda done: self._report_loss(done, packed, callback))
        return future

    def _report_loss(self, done: Future, packed: str, callback: Callable[[Any], None]) -> None:
        self._waiting.pop(done, None)
        error = done.exception()
        if isinstance(error, CancelledError):
            callback(error)  # the scheduler went; raised where results are awaited
        elif error is not None:
            line = DIED if isinstance(error, KilledWorker) else one_line(error)
            callback([Outcome(json.loads(packed)["key"], line)])

    def _watch(self) -> None:
        seen = time.monotonic()
        while not self._stopped.wait(0.5):
            if self._has_worker():
                seen = time.monotonic()
            elif time.monotonic() - seen > self.patience:
                for callback in list(self._waiting.values())[:1]:  # one error ends the whole call
                    callback(SchedulerError(_GONE))

    def _has_worker(self) -> bool:
        try:
            return bool(self.client.ncores())
        except (OSError, RuntimeError):  # not connected, or closing
            return False
