"""Run cells on worker processes or a Dask cluster; what is in the store is not run again."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field, replace
from graphlib import TopologicalSorter
from math import inf
from typing import Any

from ntkd_lib.lab.cells import Cell, CellError, Record, cell_identity
from ntkd_lib.lab.cluster import Pool, Processes, connected
from ntkd_lib.lab.digest import digest_json
from ntkd_lib.lab.layout import project_root
from ntkd_lib.lab.progress import Mode, Progress
from ntkd_lib.lab.provenance import code_state
from ntkd_lib.lab.store import CellStore
from ntkd_lib.lab.worker import DIED, Job

_TRIES = 3  # worker processes that may die of a cell


def run_cells(
    cells: Iterable[Cell],  # any two of one name must be equal in content
    store: CellStore,
    *,
    workers: int | None = None,  # processes; as many as cores if None, this process if 1
    scheduler: str | None = None,  # address of a Dask scheduler, such as `tcp://127.0.0.1:8786`
    progress: Mode = "auto",  # `auto`: a bar in a terminal, else plain lines
    groups: Mapping[str, int] | None = None,  # of cells by name; lower ones run first
    until: float = inf,  # moment of `time.monotonic` before which started cells should end
    finished: Callable[[str], None] = lambda _: None,  # called at once with each key in the store
) -> dict[str, Record]:
    """Bring every cell's record into the store, running those that are not there; return the records by name.

    Of the cells whose needs are there, a free worker gets the one that starts the longest chain of work. It
    runs on one thread. A cell that others need is run if one of them is. With `until`, some may be missing.
    """
    from joblib import cpu_count  # loads much, and keys are computed without it

    listed = list(cells)
    plan = _plan(listed, store)
    count = workers or cpu_count()
    with Progress(plan.total, {key: job.cost for key, job in plan.missing.items()}, count, progress) as shown:
        run = _Run(store, shown, dict(plan.missing), set(plan.stored), groups or {}, until, finished)
        for key in plan.stored:
            finished(key)
        try:
            _run_missing(run, count, scheduler)
        except KeyboardInterrupt:
            saved = len(plan.stored) + sum(store.folder(key).exists() for key in plan.missing)
            shown.say(f"stopped; {saved} of {plan.total} cells kept, run again to go on")
            raise
    if run.failed:
        raise CellError(_failure(run, plan.total))
    keys = {cell.name: key for cell in listed if (key := plan.keys[cell.name]) in run.done}
    return {name: replace(plan.stored.get(key) or store.load(key), name=name) for name, key in keys.items()}


@dataclass(frozen=True)
class _Plan:
    keys: dict[str, str] = field(default_factory=dict)  # by name of the cell
    stored: dict[str, Record] = field(default_factory=dict)  # by key
    missing: dict[str, Job] = field(default_factory=dict)  # by key

    @property
    def total(self) -> int:
        return len(self.stored) + len(self.missing)


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
        plan.missing[key] = Job(cell.name, key, parts, str(store.root.absolute()), code, float(cell.cost))
        queue.extend(cell.needs.values())
    return plan


@dataclass
class _Run:
    """What of a plan is done, under way, ready and failed."""

    store: CellStore
    shown: Progress
    pending: dict[str, Job]
    done: set[str]
    groups: Mapping[str, int]
    until: float
    finished: Callable[[str], None]
    ready: list[Job] = field(default_factory=list)
    under_way: dict[Future[Any], Job] = field(default_factory=dict)
    deaths: Counter[str] = field(default_factory=Counter)
    failed: dict[str, tuple[str, str]] = field(default_factory=dict)  # name and error by key

    def __post_init__(self) -> None:
        jobs = self.pending
        graph = {key: [n for n in job.parts["needs"].values() if n in jobs] for key, job in jobs.items()}
        self.ranks = self._ranks(graph)
        self.order = TopologicalSorter(graph)
        self.order.prepare()

    def _ranks(self, graph: Mapping[str, list[str]]) -> dict[str, tuple[float, float]]:
        """Compute minus the lowest group and the longest chain of each job and what waits for it; by key."""
        ranks = {key: (-self.groups.get(job.name, inf), job.cost) for key, job in self.pending.items()}
        for key in reversed([*TopologicalSorter(graph).static_order()]):
            group, chain = ranks[key]
            for need in graph[key]:
                ranks[need] = max(ranks[need][0], group), max(ranks[need][1], self.pending[need].cost + chain)
        return ranks

    def start_on(self, pool: Pool) -> None:
        """Submit ready jobs, those of the longest chains first, while workers are free."""
        while len(self.under_way) < pool.workers and (job := self._next_job()):
            self.ready.remove(job)
            self.shown.outlook.begin(job.key)
            self.under_way[pool.submit(job)] = job

    def _next_job(self) -> Job | None:
        self.ready += [self.pending[key] for key in self.order.get_ready()]
        now, expected = time.monotonic(), self.shown.outlook.expected
        able = [job for job in self.ready if now + expected(job.key) <= self.until]
        return max(able, key=lambda job: self.ranks[job.key], default=None)

    def start_again(self, job: Job) -> None:
        """Make a job ready whose worker process died, unless it has happened too often."""
        self.deaths[job.key] += 1
        if self.deaths[job.key] < _TRIES:
            self.shown.say(f"a worker process died; cells started again: {job.name}")
            self.ready.append(job)
        else:
            self.settle(job, DIED)

    def settle(self, job: Job, error: str) -> None:
        del self.pending[job.key]
        if error:
            self.failed[job.key] = (job.name, error)
            self.shown.outlook.end(job.key, done=False)
            self.shown.say(f"cell {job.name} failed: {error}")
        else:
            self.done.add(job.key)
            self.order.done(job.key)
            self.finished(job.key)
            self.shown.advance(job.key)


def _run_missing(run: _Run, workers: int, scheduler: str | None) -> None:
    if not run.pending:
        return
    jobs = [*run.pending.values()]
    with connected(scheduler, jobs) if scheduler else Processes(workers) if workers > 1 else Pool() as pool:
        run.shown.outlook.workers = pool.workers
        while True:
            run.start_on(pool)
            if not run.under_way:
                return
            for future in wait(run.under_way, pool.patience, FIRST_COMPLETED).done:
                job = run.under_way.pop(future)
                error = pool.read_error(job, future)
                run.start_again(job) if error is None else run.settle(job, error)
            pool.check()


def _failure(run: _Run, total: int) -> str:
    key, (name, error) = next(iter(run.failed.items()))
    path, root, others = run.store.error_file(key), project_root(), len(run.failed) - 1
    parts = {
        f"cell {name} failed: {error}": True,
        f"traceback in {path.relative_to(root) if path.is_relative_to(root) else path}": path.exists(),
        f"{others} more failed": others,
        f"{len(run.pending)} not run for want of {'time or ' * (run.until < inf)}what failed": run.pending,
        f"{len(run.done)} of {total} cells kept": True,
    }
    return "; ".join(part for part, applies in parts.items() if applies)
