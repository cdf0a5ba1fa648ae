"""What happens in a worker process: one cell at a time, on one thread, saved before it is reported."""

import contextlib
import importlib
import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ntkd_lib.lab.atomic import write_text
from ntkd_lib.lab.cells import CellError, CellResult, code_identity
from ntkd_lib.lab.memory import keep_freed_memory, keep_grown_worker
from ntkd_lib.lab.provenance import machine_state, measure
from ntkd_lib.lab.store import CellStore
from ntkd_lib.lab.work import Work

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
_LONGEST_LINE = 300
DIED = "its worker process died each time (killed, or out of memory?)"
_one_at_a_time = threading.Lock()  # seeds and thread counts belong to a process, not to its threads


@dataclass(frozen=True)
class Job:
    """A cell whose needs are in the store, as it travels to a worker."""

    name: str
    key: str
    parts: dict[str, Any]  # `cell_identity`
    store: str
    code: dict[str, Any]  # commit, dirty flag and command of the planning process
    cost: float


def start_worker(parent: int, path: tuple[str, ...]) -> None:
    """Make a worker process find its parent's modules, leave Ctrl-C to it, and end with it."""
    sys.path[:] = path
    keep_grown_worker()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow, args=(parent,), daemon=True).start()


def run_job(job: Job) -> str:
    """Do a cell's work and save the record; return one line of error, or nothing, and save its traceback."""
    store = CellStore(job.store)
    try:
        with _one_at_a_time:
            if not store.find(job.key):  # another run may have been faster
                _run(job, store)
    except (Exception, SystemExit) as error:
        with contextlib.suppress(OSError):  # the disk may be what is full
            write_text(store.error_file(job.key), f"cell {job.name}\n{traceback.format_exc()}")
        return one_line(error)
    with contextlib.suppress(OSError):
        store.error_file(job.key).unlink(missing_ok=True)
    return ""


def one_line(error: BaseException) -> str:
    """Write an error as one line of bounded length, its text alone if it names the cell already."""
    text = " ".join(str(error).split())
    line = text if isinstance(error, CellError) else f"{type(error).__name__}: {text}".removesuffix(": ")
    return line if len(line) <= _LONGEST_LINE else line[: _LONGEST_LINE - 1] + "…"


def _run(job: Job, store: CellStore) -> None:
    keep_freed_memory()  # here, for workers of a cluster and this process too
    _require_same_code(job)
    needs = {name: store.load(key) for name, key in job.parts["needs"].items()}
    with one_thread(), measure() as measured:
        work = _find_work(job.parts["work"])
        with torch_on_one_thread():
            result = work(json.loads(json.dumps(job.parts["arguments"])), needs)
            machine = machine_state()
    if not isinstance(result, CellResult):
        raise CellError(f"{job.parts['work']} returned {type(result).__name__}, not a CellResult")
    _require_same_code(job)
    store.save(job.key, job.name, job.parts, result, {**job.code, **machine, **measured})


def _require_same_code(job: Job) -> None:
    # the key stands for one state of the code: this process may have loaded an older one, which it
    # remembers, or be about to load a newer one, which a fresh look finds
    for fresh in (False, True):
        code = code_identity([job.parts["work"].partition(":")[0]], fresh=fresh)
        if {**job.parts, **code} != job.parts:
            raise CellError("its source or a library differs from what this run started with; run again")


def _find_work(work: str) -> Callable[..., CellResult]:
    module, _, function = work.partition(":")
    work = getattr(importlib.import_module(module), function, None)
    if not callable(work):
        raise CellError(f"module {module!r} has no function {function!r}")
    return work.run if isinstance(work, Work) else work


@contextlib.contextmanager
def environment(changes: Mapping[str, str]) -> Iterator[None]:
    """Set variables of the environment, and put the old ones back."""
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Hold NumPy and what is loaded meanwhile to one thread: sums depend on the number."""
    from threadpoolctl import threadpool_limits

    with environment(dict.fromkeys(THREAD_VARIABLES, "1")), threadpool_limits(limits=1):
        yield


@contextlib.contextmanager
def torch_on_one_thread() -> Iterator[None]:
    """Let torch, where it is loaded, compute on one thread, and as before afterwards."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _follow(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.25)
    os._exit(1)
