"""Settings that the search chose for each method, and certificates of how exactly each was solved."""

from typing import Any

import pandas as pd

from ntkd_lib.chapters.koopman.methods import LABELS, LEAST_SQUARES, PIXELS, best_trial
from ntkd_lib.chapters.koopman.page import DATA, SIZE, short_names
from ntkd_lib.chapters.run import Run
from ntkd_lib.show.columns import Column, show_table
from ntkd_lib.show.html import Html

SETTINGS = (
    *(Column("Method", "{label}"), DATA, *SIZE, Column("Settings", "{settings}")),
    Column("Validation", "{validation:.2f} %"),
)
CERTIFICATES = (
    *(
        Column("Method", "{label}"),
        DATA,
        SIZE[0],
        Column("Largest gradient", lambda row: f"{row.gradient:.1e}"),
    ),
    *(Column("Largest gap", lambda row: f"{row.gap:.1e}"), Column("Steps", "{steps:.0f}")),
    *(Column("Passes", "{passes:.0f}"), Column("Seconds", "{seconds:.1f}")),
)


def settings_table(run: Run) -> Html:
    """Show the settings that the search chose, each method at its chosen size."""
    extra = {1: [PIXELS.name], 2: ["kd_only"], 3: []}
    rows = [
        {**_chosen_trial(run, source, degree, method), "data": data, "label": LABELS[method]}
        for source, data in short_names(run).items()
        for degree in extra
        for method in (*extra[degree], "kd", "ce", *LEAST_SQUARES)
    ]
    return show_table(pd.DataFrame(rows), SETTINGS, "What the search chose")


def _chosen_trial(run: Run, data: str, degree: int, method: str) -> dict[str, Any]:
    sizes = None if method == PIXELS.name else run.parameters.sizes(degree)
    trial = best_trial(data, degree, method, sizes)
    words = ", ".join(f"{name} {value:g}" for name, value in trial["settings"].items())
    return {**trial, "settings": words}


def certificate_table(table: pd.DataFrame) -> Html:
    """Show certificates of how near the students' solutions are to their optimum."""
    solved = table[table["gradient"].notna() & table["chosen"]]
    worst = {"gradient": "max", "gap": "max", "steps": "mean", "passes": "mean", "seconds": "mean"}
    rows = solved.groupby(["data", "degree", "method", "label"], sort=False).agg(worst).reset_index()
    caption = "Certificates: gradient relative to that at W = 0, in float64"
    return show_table(rows, CERTIFICATES, caption)
