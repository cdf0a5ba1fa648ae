"""All metrics of notebook 02: students for masks, and the energy that their optics save."""

from ntkd_lib.chapters.ntkd_segmentation import energy, summary
from ntkd_lib.chapters.run import Run
from ntkd_lib.lab.evidence import Metric


def metrics(run: Run) -> dict[str, Metric]:
    """Collect the metrics that the claim contract names, and the score of every other student."""
    return summary.metrics(run) | energy.metric(run)
