"""Bring everything up to date: each notebook in order, summaries last, then the book."""

from collections.abc import Callable
from pathlib import Path

from ntkd_lib.lab.layout import tier_layout
from ntkd_lib.pipeline.errors import PipelineError, one_line
from ntkd_lib.pipeline.notebooks import Target, all_notebooks, target_of
from ntkd_lib.pipeline.run import run_target
from ntkd_lib.pipeline.verify import version_problems

Say = Callable[[str], None]


def reproduce(
    tier: str, *, workers: int | None = None, scheduler: str | None = None, say: Say = print
) -> Path:
    """Check parameters and prose, run every notebook that is not up to date, then build the book."""
    from ntkd_lib.pipeline.numbers import check_prose  # SciPy and Matplotlib: the command line starts without

    check_prose()
    for problem in version_problems(tier_layout(tier)):
        say(f"ntkd: {problem}")
    targets = [target_of(notebook, tier, {}) for notebook in all_notebooks()]
    failed = [name for name in (_attempt(target, workers, scheduler, say) for target in targets) if name]
    if failed:
        count = f"{len(failed)} of {len(targets)}"
        raise PipelineError(f"{count} notebooks failed ({', '.join(failed)}); no book was built")
    from ntkd_lib.pipeline.book import build_book

    return build_book(tier)


def read(tier: str, say: Say = print) -> Path:
    """Build the book from what has been run and, on tier cpu, from what is recorded; nothing is trained."""
    from ntkd_lib.pipeline.book import RECORDED_TIER, build_book

    for notebook in all_notebooks() if tier == RECORDED_TIER else ():
        if notebook.is_summary:  # it computes nothing, and its page is that of this book's verdicts
            run_target(target_of(notebook, tier, {}), say=say)
    return build_book(tier, say)


def _attempt(target: Target, workers: int | None, scheduler: str | None, say: Say) -> str | None:
    try:
        run_target(target, workers=workers, scheduler=scheduler, say=say)
    except (RuntimeError, ValueError, OSError) as error:
        say(f"ntkd: {one_line(error)}")
        return target.name
    return None
