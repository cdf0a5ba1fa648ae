"""Errors and memory of sketches: assertions and tables."""

import pandas as pd

from ntkd_lib.chapters.distilled.methods import NAMES
from ntkd_lib.chapters.distilled.studies.memory import memory
from ntkd_lib.chapters.distilled.studies.sketches import sketch_errors
from ntkd_lib.chapters.distilled.studies.streamed import streamed
from ntkd_lib.chapters.run import Run
from ntkd_lib.lab.work import Work
from ntkd_lib.show import Column, Html, show_table

BEYOND = 5.0  # percent of errors that Chebyshev's bound allows
SKETCHES = (
    Column("Sketch", "{sketch}"),
    Column("Squared error / stated, mean", "{mean_ratio:.2f}"),
    Column("Worst entry", "{worst_ratio:.2f}"),
    Column("Beyond the 5 % bound", "{beyond:.2f} %"),
    Column("Draws", "{draws}"),
)
MEMORY = (
    Column("Images", "{images:,}"),
    Column("Peak of the process (MiB)", "{peak:.0f}"),
    Column("All features (MiB)", "{features:.0f}"),
    Column("Exact kernel (MiB)", "{kernel:.0f}"),
)
CERTIFICATES = (
    Column("Data", lambda row: f"{NAMES[row.data]}, seed {row.seed}"),
    Column("Relative error", "{frobenius:.3f}"),
    Column("Error / ridge, logits", "{logits:,.0f}"),
    Column("Error / ridge, labels", "{labels:,.0f}"),
    Column("Subspace error, of the trace", lambda row: f"{100 * row.error:.2f} %"),
    Column("Its bound", lambda row: f"{100 * row.bound:.2f} %"),
)


def rows(run: Run, work: Work) -> pd.DataFrame:
    """List the rows that the cells of a work function hold."""
    return pd.DataFrame(row for record in run.select(work) for row in record.values["rows"])


def within_bounds(run: Run) -> bool:
    """Check every sketch against its stated variance (by five standard errors) and its bound."""
    table = rows(run, sketch_errors)
    limits = 1 + 5 * (2 / table["draws"]) ** 0.5
    return bool(((table["beyond"] <= BEYOND) & (table["mean_ratio"] <= limits)).all())


def memory_growth(run: Run) -> float:
    """Compare the peak for many images with that for few."""
    peaks = rows(run, memory)["peak"]
    return peaks.iloc[-1] / peaks.iloc[0] - 1


def certificate_table(run: Run) -> Html:
    """Show sketched kernels against the ridge, and Frequent Directions against their bound."""
    lines = [
        {"data": cell.data, "seed": cell.seed, "frobenius": cell.frobenius}
        | {**cell.certificate, **cell.directions}
        for cell in run.frame(streamed).itertuples()
    ]
    caption = "Is the sketched kernel certified? A ratio of 1 would be needed"
    return show_table(pd.DataFrame(lines), CERTIFICATES, caption)
