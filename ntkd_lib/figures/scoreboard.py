"""Figures of the scoreboard: how many claims of each paper hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ntkd_lib.figures.claims import PAPERS, SIGNS, claim_table
from ntkd_lib.figures.html import Html
from ntkd_lib.figures.style import STATUS_COLOURS, STATUSES
from ntkd_lib.lab.verdicts import Verdict

SHORT = {
    "ntkd": "NTKD",
    "koopman": "Koopman",
    "spectral": "Spectral",
    "dntk": "DNTK",
    "nint": "NINT",
    "ours": "controls",
}


def draw_counts(counts: pd.DataFrame) -> Figure:
    """Draw one bar a paper, cut by verdict; simulated and proxy verdicts are hatched."""
    figure, axes = plt.subplots(figsize=(7.2, 3.4))
    papers = [paper for paper in PAPERS if paper in set(counts["paper"])]
    for row, paper in enumerate(papers):
        _draw_row(axes, row, counts[counts["paper"] == paper])
    axes.set_yticks(range(len(papers)), [SHORT[paper] for paper in papers])
    axes.invert_yaxis()
    axes.set_xlabel("number of claims")
    axes.grid(visible=False, axis="y")
    _legend(axes)
    return figure


def _draw_row(axes: Axes, row: int, counts: pd.DataFrame) -> None:
    left = 0
    for status in STATUSES:
        own = counts[counts["status"] == status]
        apart = (own["qualifier"] != "") & (status != "not assessed")
        for hatch, chosen in ((None, own[~apart]), ("///", own[apart])):
            number = int(chosen["claims"].sum())
            axes.barh(row, number, left=left, color=STATUS_COLOURS[status], hatch=hatch, linewidth=0)
            left += number
    axes.text(left + 0.4, row, str(left), va="center")


def _legend(axes: Axes) -> None:
    handles = [
        Patch(facecolor=STATUS_COLOURS[status], linewidth=0, label=f"{SIGNS[status]} {status}")
        for status in STATUSES
    ]
    handles.append(Patch(facecolor="none", edgecolor="grey", hatch="///", label="simulated or proxy"))
    axes.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.45, -0.2), ncols=3)


def counts_words(counts: pd.DataFrame) -> str:
    """Say in words what `draw_counts` shows."""
    sums = counts.groupby("status")["claims"].sum()
    parts = ", ".join(f"{int(sums.get(status, 0))} {status}" for status in STATUSES)
    return f"Bar chart of claims by paper and verdict. Of {int(sums.sum())} claims: {parts}."


def paper_table(paper: str, verdicts: Iterable[Verdict], chapters: Sequence[str]) -> Html:
    """Show the verdicts on one paper's claims, each linked to its chapter."""
    chosen = [verdict for verdict in verdicts if verdict.claim.paper == paper]
    if not chosen:
        raise ValueError(f"no claim of paper {paper!r}; allowed: {', '.join(PAPERS)}")
    return claim_table(chosen, caption=f"{PAPERS[paper]} ({len(chosen)} claims)", chapters=chapters)
