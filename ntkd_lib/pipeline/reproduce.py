"""Bring everything up to date: each notebook in order, summaries last, then the book."""

import os
from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from pathlib import Path

from ntkd_lib.lab.cluster import Pool, Processes
from ntkd_lib.lab.layout import tier_layout
from ntkd_lib.lab.worker import environment
from ntkd_lib.pipeline.book import RECORDED_TIER, build_book
from ntkd_lib.pipeline.errors import PipelineError, one_line
from ntkd_lib.pipeline.notebooks import Target, all_notebooks, target_of
from ntkd_lib.pipeline.numbers import check_prose
from ntkd_lib.pipeline.run import Say, make_page, prepare, run_target
from ntkd_lib.pipeline.verify import version_problems

_FAULTS = (RuntimeError, ValueError, OSError)  # with a line for the user; others are mistakes of the program
_PAGES = 2  # at a time; each takes a core


def reproduce(
    tier: str, *, workers: int | None = None, scheduler: str | None = None, say: Say = print
) -> Path:
    """Check parameters and prose, run every notebook that is not up to date, then build the book."""
    check_prose()
    for problem in version_problems(tier_layout(tier)):
        say(f"ntkd: {problem}")
    targets = [target_of(notebook, tier, {}) for notebook in all_notebooks()]
    with Pool(page_error) if workers == 1 else Processes(_PAGES, page_error) as pool:
        pages = _Pages(pool, say)
        for target in targets:
            pages.start(target, workers, scheduler)
        pages.finish()
    if failed := [target.name for target in targets if target.name in pages.failed]:
        count = f"{len(failed)} of {len(targets)}"
        raise PipelineError(f"{count} notebooks failed ({', '.join(failed)}); no book was built")
    return build_book(tier)


def page_error(job: tuple[Target, Mapping[str, str]]) -> str:
    """Execute and seal a notebook under settings; return one line of error, or nothing."""
    target, settings = job
    try:
        with environment(settings):
            make_page(target)
    except _FAULTS as error:
        return one_line(error)
    return ""


@dataclass
class _Pages:
    """The notebooks that are executed now, and the names of those that failed."""

    pool: Pool
    say: Say
    under_way: dict[Future[str], Target] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)

    def start(self, target: Target, workers: int | None, scheduler: str | None) -> None:
        if target.notebook.is_summary:  # it reads what the others leave
            self.finish()
        try:
            if prepare(target, workers, scheduler, force=False, say=self.say):
                self.finish(self.pool.workers - 1)
                settings = {name: text for name, text in os.environ.items() if name.startswith("NTKD_")}
                self.under_way[self.pool.submit((target, settings))] = target
        except _FAULTS as error:
            self._fail(target, one_line(error))

    def finish(self, most: int = 0) -> None:
        """Wait until at most some are under way."""
        while len(self.under_way) > most:
            for future in wait(self.under_way, return_when=FIRST_COMPLETED).done:
                target = self.under_way.pop(future)
                error = self.pool.read_error(target, future)
                if error is None:
                    error = f"{target.name}: the process that executed it died (killed, or out of memory?)"
                if error:
                    self._fail(target, error)
                else:
                    self.say(f"{target.name}: done and sealed")

    def _fail(self, target: Target, error: str) -> None:
        self.failed.add(target.name)
        self.say(f"ntkd: {error}")


def read(tier: str, say: Say = print) -> Path:
    """Build the book from what has been run and, on tier cpu, from what is recorded; nothing is trained."""
    for notebook in all_notebooks() if tier == RECORDED_TIER else ():
        if notebook.is_summary:  # it computes nothing, and its page is that of this book's verdicts
            run_target(target_of(notebook, tier, {}), say=say)
    return build_book(tier, say)
