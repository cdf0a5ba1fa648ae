"""All metrics of notebook 01: students of digits, their controls, and students on colour images."""

from ntkd_lib.chapters.ntkd_classification import summary
from ntkd_lib.chapters.ntkd_classification.alignment import alignment_metrics
from ntkd_lib.chapters.ntkd_colour import summary as colours
from ntkd_lib.chapters.ntkd_controls import summary as controls
from ntkd_lib.chapters.run import Run
from ntkd_lib.lab.evidence import Metric


def metrics(run: Run) -> dict[str, Metric]:
    """Collect the metrics that the claim contract names, and the accuracy of every other student."""
    digits = summary.metrics(run) | alignment_metrics(run)
    return digits | controls.metrics(run) | colours.metrics(run)
