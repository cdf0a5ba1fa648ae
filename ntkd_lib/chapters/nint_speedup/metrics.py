"""All metrics of notebook 07: those of the live size and, for runs that are large enough, the contract's."""

from ntkd_lib.chapters.nint_speedup import contract, summary
from ntkd_lib.chapters.run import Run
from ntkd_lib.lab.evidence import Metric


def metrics(run: Run) -> dict[str, Metric]:
    """Collect what a run publishes."""
    return summary.metrics(run) | contract.metrics(run)
