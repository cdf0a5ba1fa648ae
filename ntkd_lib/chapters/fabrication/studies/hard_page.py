"""Recovery where labels recover less: labels by strength, every trial, all ways on fresh students."""

from functools import partial

import pandas as pd

from ntkd_lib.chapters.fabrication.methods import label_of
from ntkd_lib.chapters.fabrication.studies import hard
from ntkd_lib.lab.claims import load_claims
from ntkd_lib.show import Column, Contest, contest

WAY = "Way to recover"
TRIALS, SCORES = contest.trial_columns(WAY, "Validation", "%"), contest.score_columns(WAY, "labels", "%")
PAIRS = (("ntkd_ft", "e2e_ft"), ("ntkd_ft", "kd_ft"), ("kd_ft", "e2e_ft"))
GAPS = (Column("Captures", "{captures}"), *contest.GAPS)
STRENGTHS = (
    Column("Error strength", lambda row: f"{100 * row.strength:g} %"),
    Column("Best trial of labels", "{settings}"),
    Column("Validation", "{validation:.2f} %"),
)


def contest_of(captures: int | None = None) -> Contest:
    """Describe the contest with all captures, or with few."""
    labels = {way: label_of(way) for way in (hard.LABELS, "kd_ft", "ntkd_ft")}
    name = partial(hard.metric_name, captures=captures)
    return Contest(hard.SPACE, labels, ["hard mnist"], name, base=hard.LABELS)


def gaps() -> pd.DataFrame:
    """Compare the ways student by student, with all captures and with few."""
    parameters = load_claims().protocols["hard mnist"].parameters
    counts = {None: parameters["run"]["captures"], **{few: few for few in parameters["few_captures"]}}
    return pd.concat([contest_of(few).gaps(PAIRS).assign(captures=count) for few, count in counts.items()])


def strengths() -> pd.DataFrame:
    """List the best trial of labels at each strength."""
    return pd.DataFrame(
        {"strength": strength, "validation": accuracy, "settings": contest.in_words(settings)}
        for strength, (settings, accuracy) in hard.best_trials("hard mnist strengths").items()
    )
