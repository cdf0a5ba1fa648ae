"""Figures of the scoreboard: how many claims of each paper hold."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from ntkd_lib.lab.verdicts import Verdict
from ntkd_lib.show.claims import PAPERS, claim_table
from ntkd_lib.show.firmness import firmness, holm_notes
from ntkd_lib.show.html import Html, join
from ntkd_lib.show.numbers import OUTCOME_SIGNS
from ntkd_lib.show.style import OUTCOME_COLOURS, OUTCOMES

SHORT = dict(zip(PAPERS, ("NTKD", "Koopman", "Spectral", "DNTK", "NINT", "controls"), strict=True))


def draw_counts(counts: pd.DataFrame) -> Figure:
    """Draw one bar per paper, cut by outcome; simulated and proxy verdicts are hatched."""
    figure, axes = plt.subplots(figsize=(7.2, 3.6))
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
    for outcome, colour in OUTCOME_COLOURS.items():
        own = counts[counts["outcome"] == outcome]
        apart = (own["qualifier"] != "") & (outcome != "not assessed")
        for hatch, part in ((None, own[~apart]), ("///", own[apart])):
            number = int(part["claims"].sum())
            axes.barh(row, number, left=left, color=colour, hatch=hatch, linewidth=0)
            left += number
    axes.text(left + 0.4, row, str(left), va="center")


def _legend(axes: Axes) -> None:
    handles = [
        Patch(facecolor=colour, linewidth=0, label=f"{OUTCOME_SIGNS[outcome]} {outcome}")
        for outcome, colour in OUTCOME_COLOURS.items()
    ]
    handles.append(Patch(facecolor="none", edgecolor="grey", hatch="///", label="simulated or proxy"))
    axes.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.45, -0.2), ncols=3)


def counts_words(counts: pd.DataFrame) -> str:
    """Describe the figure of `draw_counts` in words."""
    sums = counts.groupby("outcome")["claims"].sum()
    parts = ", ".join(f"{int(sums.get(outcome, 0))} {outcome}" for outcome in OUTCOMES)
    return f"Bar chart of claims by paper and outcome. Of {int(sums.sum())} claims: {parts}."


def paper_table(paper: str, verdicts: Sequence[Verdict], chapters: Sequence[str]) -> Html:
    """Show the verdicts on one paper's claims, with their robustness and sources."""
    listed = [verdict for verdict in _in_succession(verdicts) if verdict.claim.paper == paper]
    if not listed:
        raise ValueError(f"no claim of paper {paper!r}; allowed: {', '.join(PAPERS)}")
    notes = {verdict.claim.id: firmness(verdict) for verdict in listed}
    for name, p in holm_notes(verdicts).items():
        notes[name] = join([p, notes.get(name, "")])
    current = sum(verdict.claim.replacement is None for verdict in listed)
    apart = f", {len(listed) - current} superseded" if current < len(listed) else ""
    caption = f"{PAPERS[paper]} ({current} claims{apart})"
    return claim_table(listed, caption=caption, chapters=chapters, notes=notes)


def _in_succession(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Sort each superseded claim right below its replacement."""
    earlier = {verdict.claim.id: verdict.claim.supersedes for verdict in verdicts}
    places = {name: place for place, name in enumerate(earlier)}

    def key(verdict: Verdict) -> tuple[int, int]:
        name, age = verdict.claim.id, 0
        while (older := earlier.get(name)) is not None:
            name, age = older, age - 1
        return places[name], age

    return sorted(verdicts, key=key)
