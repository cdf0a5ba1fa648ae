"""What is recorded of devices for photographs of cars: scores, and how far students fall."""

import numpy as np
import pandas as pd

from ntkd_lib.chapters.fabrication.page import share_of
from ntkd_lib.chapters.fabrication.studies.photographs import (
    CLEAN,
    DESIGNED,
    IDEAL,
    METRIC,
    RECOVERED,
    WAYS,
    recorded_drops,
)
from ntkd_lib.chapters.fabrication.work import NONE
from ntkd_lib.lab import recorded_metrics, seed_rows, summarise
from ntkd_lib.show.columns import INTERVAL, PAPER_SCORE, Column

# Source: NTKD paper, Tables 3 and 4, its own student.
PAPER = {IDEAL: 91.5, NONE: 49.7, "e2e_ft": 62.7, "ntkd_ft": 81.2}
LABELS = {
    IDEAL: "filters as trained",
    DESIGNED: "designed, no errors",
    NONE: "made, no compensation",
    **{name: way.label for name, way in WAYS.items()},
    CLEAN: "labels, trained and tested without errors",
}
COLUMNS = (
    *(Column("Optics, way to recover", "{label}"), Column("Test mIoU", "{mean:.2f} %"), INTERVAL),
    *(Column("Won back", "{share:.0f} %"), PAPER_SCORE, Column("Students", "{seeds}")),
)
DROPS = (
    Column("Error strength", lambda row: f"{100 * row.strength:g} %"),
    *(Column("Mean drop", "{drop:.1f}"), Column("By tuning student", "{single}")),
)


def recorded() -> pd.DataFrame:
    """List the recorded scores: a row per way to recover and seed."""
    names = {(name,): METRIC.format(name) for name in LABELS}
    return seed_rows(recorded_metrics("03_cars"), names, ["way", "seed", "miou"])


def scores(table: pd.DataFrame) -> pd.DataFrame:
    """Average the recorded scores over seeds; shares are of the way to as much training without errors."""
    means = summarise(table, "miou", ["way"])
    if means.empty:
        return means
    reached, ways = means.set_index("way")["mean"], means["way"]
    share = share_of(means["mean"], reached.get(NONE, np.nan), reached.get(CLEAN, np.nan))
    labels = {"label": ways.map(LABELS), "paper": ways.map(PAPER)}
    return means.assign(**labels, share=share.where(ways.isin(RECOVERED)))


def drops() -> pd.DataFrame:
    """List how far the tuning students fall at each strength without compensation."""
    return pd.DataFrame(
        {"strength": strength, "drop": np.mean(values), "single": ", ".join(f"{v:.1f}" for v in values)}
        for strength, values in recorded_drops("cars strengths").items()
    )
