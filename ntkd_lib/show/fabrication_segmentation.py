"""The recorded devices for photographs of cars, in words and tables."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ntkd_lib.show.html import Html, element, table
from ntkd_lib.show.numbers import MINUS, format_value, interval_text, signed


def recorded_devices(scores: pd.DataFrame, gaps: pd.DataFrame) -> Html:
    """Show the recorded run: what it says, scores, and differences seed by seed."""
    if scores.empty:
        return element(
            "p",
            "No run on photographs is recorded yet; ",
            element("code", "ntkd record --list"),
            " shows how far it is.",
        )
    return element("div", _reading(scores, gaps), _scores(scores), _gaps(gaps))


def _reading(scores: pd.DataFrame, gaps: pd.DataFrame) -> Html:
    ways, gap = scores.set_index("name"), gaps.iloc[0]
    mean, share = ways["mean"], ways["share"]
    text = (
        f"Errors take the students from {mean['designed']:.1f} to {mean['uncompensated']:.1f} % mIoU on cars "
        "that nothing was trained on; the paper's device fell from 91.5 to 49.7 %. Fine-tuning on labels "
        f"ends at {mean['e2e_ft']:.1f} % and wins back {share['e2e_ft']:.0f} % of the loss, soft labels "
        f"{share['kd_ft']:.0f} % and NTKD {share['ntkd_ft']:.0f} %; the same training without errors ends at "
        f"{mean['clean_ft']:.1f} %. NTKD minus labels is {gap['mean']:+.2f} points (the paper: +18.5), "
        f"interval {interval_text(gap['low'], gap['high'], sign='+')}: {_order(gap)}."
    )
    lead = element("strong", "Recorded, by simulation. ")
    return element("p", lead, text.replace(" -", f" {MINUS}"))


def _order(gap: pd.Series) -> str:
    if gap["low"] > 0 or gap["high"] < 0:
        return f"the paper's order is {'found' if gap['low'] > 0 else 'turned round'}"
    return "the two cannot be told apart"


def _scores(scores: pd.DataFrame) -> Html:
    rows = [
        (
            row.label,
            format_value(row.mean, "percent"),
            interval_text(row.low, row.high),
            _or_dash(row.share, f"{row.share:.0f} %"),
            _or_dash(row.paper, f"{row.paper:g} %"),
            str(row.seeds),
        )
        for row in scores.itertuples()
    ]
    headers = ("Optics, way to recover", "Test mIoU", "95 % interval", "Won back", "Paper", "Devices")
    return table(headers, rows, caption="The recorded run on photographs of cars")


def _or_dash(value: float, text: str) -> str:
    return "–" if np.isnan(value) else text


def _gaps(gaps: pd.DataFrame) -> Html:
    rows = [
        (row.label, *(signed(value) for value in (row.mean, row.low, row.high, row.smallest)))
        for row in gaps.itertuples()
    ]
    headers = ("Pair", "Difference", "Lower end", "Upper end", "Smallest")
    return table(headers, rows, caption="The recorded run: differences in points of mIoU, seed by seed")
