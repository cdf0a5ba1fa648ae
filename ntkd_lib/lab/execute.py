"""Run cells on worker processes or a Dask cluster; what is in the store is not run again."""

import contextlib
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from graphlib import TopologicalSorter
from typing import Any

from ntkd_lib.lab.cells import Cell, CellError, Record, cell_identity
from ntkd_lib.lab.cluster import connected, parallel_on
from ntkd_lib.lab.digest import digest_json
from ntkd_lib.lab.layout import project_root
from ntkd_lib.lab.progress import Mode, Progress
from ntkd_lib.lab.provenance import code_state
from ntkd_lib.lab.store import CellStore
from ntkd_lib.lab.worker import DIED, Job, Outcome, pack_wait, run_job, start_worker, wait_for_any

Call = tuple[Callable[[str], Outcome], str]  # what a worker does, with its packed argument
_TRIES = 2  # how often in a row workers may die before any cell is finished


def run_cells(
    cells: Iterable[Cell],
    store: CellStore,
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    progress: Mode = "auto",
    groups: Mapping[str, int] | None = None,
    until: float | None = None,
    finished: Callable[[str], None] | None = None,
) -> dict[str, Record]:
    """Bring every cell's record into the store, running those that are not there.

    Each worker process takes, of the cells whose needs are there, the one that most work hangs on: its own
    and that of the longest chain of cells that wait for it. A cell runs on one thread. Where there is none,
    the worker waits until there is. With `workers=1` cells run in this process. A needed cell is only run
    where a cell that needs it is.

    Args:
        cells: any two of one name must be equal in content.
        workers: number of processes; that of this machine's cores when left out.
        scheduler: address of a Dask scheduler, such as `tcp://127.0.0.1:8786`, to use its workers instead.
        progress: `auto` is a bar in a terminal, else plain lines.
        groups: group of each cell by name; ready cells of a lower group run first.
        until: moment of `time.monotonic`; no cell is started that is not expected to end before it.
        finished: called in this process with the key of each cell that is in the store, at once.

    Returns:
        the record of each given cell by its name; with `until`, of those that are there.

    Raises:
        CellError: where cells failed, after all that do not need them have run.
        KeyboardInterrupt: as it came; finished cells are kept.
    """
    wanted = list(cells)
    plan = _plan(wanted, store)
    machines = _Machines(workers or _cpu_count(), scheduler)
    costs = {key: job.cost for key, job in plan.missing.items()}
    with Progress(plan.total, costs, machines.workers, progress) as shown:
        run = _Run(store, shown, dict(plan.missing), set(plan.stored), _chains(plan.missing))
        run.groups, run.until, run.finished = groups or {}, until, finished
        for key in plan.stored:
            run.report(key)
        try:
            _run_waves(run, machines)
        except KeyboardInterrupt:
            kept = len(plan.stored) + sum(store.folder(key).exists() for key in plan.missing)
            shown.say(f"stopped; {kept} of {plan.total} cells kept, run again to go on")
            raise
    if run.failed:
        raise CellError(_failure(run, plan.total))
    there = [cell for cell in wanted if until is None or plan.keys[cell.name] in run.done]
    return {cell.name: replace(plan.record(cell, store), name=cell.name) for cell in there}


@dataclass(frozen=True)
class _Plan:
    keys: dict[str, str] = field(default_factory=dict)  # by name of the cell
    stored: dict[str, Record] = field(default_factory=dict)  # by key
    missing: dict[str, Job] = field(default_factory=dict)  # by key

    @property
    def total(self) -> int:
        return len(self.stored) + len(self.missing)

    def record(self, cell: Cell, store: CellStore) -> Record:
        key = self.keys[cell.name]
        return self.stored.get(key) or store.load(key)


@dataclass
class _Run:
    store: CellStore
    shown: Progress
    pending: dict[str, Job]  # by key
    done: set[str]  # keys
    chains: dict[str, float]  # expected seconds by key
    failed: dict[str, tuple[str, str]] = field(default_factory=dict)  # name and error by key
    suspects: list[Job] = field(default_factory=list)  # under way when workers died, guilty or not
    groups: Mapping[str, int] = field(default_factory=dict)
    until: float | None = None
    finished: Callable[[str], None] | None = None

    def report(self, key: str) -> None:
        if self.finished is not None:
            self.finished(key)

    def next_job(self, started: Iterable[Job] = ()) -> Job | None:
        """Choose the job of the longest chain that is not started and has what it needs, told or not."""
        able = [job for job in self.waiting(started) if self._can_run(job) and self._in_time(job)]
        return max(able, key=lambda job: (-self.groups.get(job.name, -1), self.chains[job.key]), default=None)

    def _in_time(self, job: Job) -> bool:
        if self.until is None:
            return True
        return time.monotonic() + self.shown.outlook.expected(job.key) <= self.until

    def waiting(self, started: Iterable[Job]) -> list[Job]:
        """List what is neither started nor done."""
        taken = {job.key for job in started}
        return [job for key, job in list(self.pending.items()) if key not in taken]

    def _can_run(self, job: Job) -> bool:
        return all(key in self.done or self.store.folder(key).exists() for key in job.needs.values())

    def settle(self, outcome: Outcome) -> None:
        job = self.pending.pop(outcome.key)
        error = outcome.error
        if not error and not self.store.folder(job.key).exists():
            error = "the worker saved its record where this process cannot see it; share the folder"
        if error:
            self.failed[job.key] = (job.name, error)
            self.shown.outlook.end(job.key, done=False)
            self.shown.say(f"cell {job.name} failed: {error}")
        else:
            self.done.add(job.key)
            self.report(job.key)
            self.shown.advance(job.key)

    def settle_saved(self) -> int:
        saved = [key for key in self.pending if self.store.has(key)]
        for key in saved:
            self.settle(Outcome(key))
        return len(saved)


@dataclass(frozen=True)
class _Machines:
    workers: int
    scheduler: str | None


def _plan(cells: list[Cell], store: CellStore) -> _Plan:
    plan = _Plan()
    code: dict[str, Any] = {}
    queue = [*cells]
    for cell in queue:  # grows by what missing cells need
        parts = cell_identity(cell)
        key = digest_json(parts)
        if plan.keys.setdefault(cell.name, key) != key:
            raise CellError(f"cell {cell.name}: two cells with different content have this name")
        if key in plan.stored or key in plan.missing:
            continue
        if record := store.find(key):
            plan.stored[key] = record
            continue
        code = code or code_state()
        plan.missing[key] = _job(cell, key, parts, store, code)
        queue.extend(cell.needs.values())
    return plan


def _job(cell: Cell, key: str, parts: dict[str, Any], store: CellStore, code: dict[str, Any]) -> Job:
    return Job(
        name=cell.name,
        key=key,
        work=cell.work,
        arguments=parts["arguments"],
        uses=list(cell.uses),
        data=parts["data"],
        needs=parts["needs"],
        store=str(store.root.absolute()),
        code=code,
        cost=float(cell.cost),
    )


def _chains(jobs: dict[str, Job]) -> dict[str, float]:
    """Add to each job's cost that of the longest chain of jobs that wait for it; by key."""
    waiting: dict[str, list[str]] = {key: [] for key in jobs}
    for key, job in jobs.items():
        for need in job.needs.values():
            if need in waiting:
                waiting[need].append(key)
    order = TopologicalSorter(waiting).static_order()  # those that nothing waits for come first
    chains: dict[str, float] = {}
    for key in order:
        chains[key] = jobs[key].cost + max((chains[later] for later in waiting[key]), default=0.0)
    return chains


def _run_waves(run: _Run, machines: _Machines) -> None:
    if not run.pending:
        return
    with _client(machines, run.store) as client:
        if client is not None:
            run.shown.outlook.workers = max(1, sum(client.ncores().values()))
        tries = _TRIES
        while run.next_job():
            before, started = len(run.pending), list[Job]()
            died = _run_wave(run, _as_they_can(run, started), machines, client)
            run.settle_saved()  # by a worker that died before it could say so, or by another run
            tries = tries - 1 if died and len(run.pending) == before else _TRIES
            under_way = [job for job in started if job.key in run.pending]
            if died:
                run.shown.say(f"a worker process died; cells started again: {len(under_way)}")
            if not tries:
                run.suspects += under_way
                tries = _TRIES
            _run_suspects(run, machines, client)


def _as_they_can(run: _Run, started: list[Job]) -> Iterator[Call]:
    """Give a job whenever a worker asks for one, and note it; a wait where none can run at that moment.

    joblib gives no more to a worker that once got nothing, and asks for a few calls ahead.

    Args:
        run: what is done and what is not.
        started: grows by the jobs given.

    Yields:
        Calls, until all jobs are given or those left can never run.
    """
    while run.waiting(started):
        if job := run.next_job(started):
            started.append(job)
            run.shown.outlook.begin(job.key)
            yield run_job, job.pack()
        elif under_way := [job.key for job in started if job.key in run.pending]:
            yield wait_for_any, pack_wait(run.store, under_way)
        else:
            return


def _run_suspects(run: _Run, machines: _Machines, client: Any) -> None:
    """Run one at a time the cells that were under way when workers died, to blame the right one."""
    suspects, run.suspects = run.suspects, []
    for job in suspects:
        if job.key not in run.pending:
            continue
        run.shown.outlook.begin(job.key)
        died = _run_wave(run, [(run_job, job.pack())], machines, client, alone=True)
        run.settle_saved()
        if died and job.key in run.pending:
            run.settle(Outcome(job.key, DIED))


def _run_wave(
    run: _Run, calls: Iterable[Call], machines: _Machines, client: Any, *, alone: bool = False
) -> bool:
    """Run calls until no more come; tell whether a worker died."""
    from joblib import delayed
    from joblib.externals.loky.process_executor import BrokenProcessPool

    deaths: tuple[type[Exception], ...] = (BrokenProcessPool,)
    if client is not None:
        from distributed import CancelledError

        deaths = (*deaths, CancelledError)
    with _deaf_to_ctrl_c():
        outcomes = _parallel(machines, client)(delayed(call)(packed) for call, packed in calls)
    with _quiet_stop(), _closed(outcomes):
        try:
            for outcome in outcomes:
                if not outcome.key:
                    continue  # of a wait
                if outcome.error == DIED and not alone:
                    run.suspects.append(run.pending[outcome.key])
                else:
                    run.settle(outcome)
        except deaths:
            return True
    return False


def _parallel(machines: _Machines, client: Any) -> Any:
    from joblib import Parallel, parallel_config

    settings: dict[str, Any] = {
        "return_as": "generator_unordered",
        "batch_size": 1,
        "pre_dispatch": "n_jobs",
    }
    if client is not None:
        return parallel_on(client, **settings)
    if machines.workers == 1:
        return Parallel(n_jobs=1, **settings)
    start = {"initializer": start_worker, "initargs": (os.getpid(), tuple(sys.path))}
    with parallel_config(backend="loky", inner_max_num_threads=1):
        return Parallel(n_jobs=machines.workers, **settings, **start)


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


@contextlib.contextmanager
def _closed(outcomes: Generator[Outcome, None, None]) -> Iterator[None]:
    try:
        yield
    finally:
        with warnings.catch_warnings():  # joblib warns of what is meant here: unfinished calls are stopped
            warnings.simplefilter("ignore")
            outcomes.close()


@contextlib.contextmanager
def _quiet_stop() -> Iterator[None]:
    # loky's own thread may look up a call that stopping has just dropped, and print a traceback of that
    before = threading.excepthook

    def hook(error: threading.ExceptHookArgs) -> None:
        of_loky = error.thread is not None and error.thread.name == "ExecutorManagerThread"
        if not (of_loky and error.exc_type is KeyError):
            before(error)

    threading.excepthook = hook
    try:
        yield
    finally:
        threading.excepthook = before


@contextlib.contextmanager
def _client(machines: _Machines, store: CellStore) -> Iterator[Any]:
    if machines.scheduler is None:
        yield None
        return
    with connected(machines.scheduler, store.root) as client:
        yield client


def _failure(run: _Run, total: int) -> str:
    key, (name, error) = next(iter(run.failed.items()))
    path, root, others = run.store.error_file(key), project_root(), len(run.failed) - 1
    parts = {
        f"cell {name} failed: {error}": True,
        f"traceback in {path.relative_to(root) if path.is_relative_to(root) else path}": path.exists(),
        f"{others} more failed": others,
        f"{len(run.pending)} not run for want of what failed": run.pending,
        f"{len(run.done)} of {total} cells kept": True,
    }
    return "; ".join(part for part, applies in parts.items() if applies)


def _cpu_count() -> int:
    from joblib import cpu_count

    return cpu_count()
