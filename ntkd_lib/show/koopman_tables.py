"""Tables and sentences of notebook 04."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ntkd_lib.show.html import Html, element, table
from ntkd_lib.show.koopman_vs_least_squares import DEGREES, PAPER, TITLES
from ntkd_lib.show.numbers import NONE, format_value, gap_words, interval_text


def score_table(summary: pd.DataFrame, data: str) -> Html:
    """Show the scores of a data set as a table."""
    rows = [
        (
            f"{row.label}",
            str(row.degree),
            str(row.components),
            format_value(row.mean, "percent"),
            interval_text(row.low, row.high),
            NONE if np.isnan(row.std) else f"{row.std:.2f}",
            str(row.seeds),
            f"{PAPER[data, row.degree]:g} %" if row.method == "kd" and (data, row.degree) in PAPER else NONE,
        )
        for row in summary[summary["data"] == data].itertuples()
    ]
    headers = ("Method", "q", "d", "Test accuracy", "95 % interval", "Std", "Seeds", "Paper")
    return table(headers, rows, caption=f"{TITLES[data]}: every method at its own size")


def share_table(share: pd.DataFrame) -> Html:
    """Show what the teacher adds at each size."""
    rows = [
        (
            TITLES[row.data],
            str(row.degree),
            str(row.components),
            f"{row.functions:,}",
            format_value(row.mean, "points"),
            interval_text(row.low, row.high, sign="+"),
            str(row.seeds),
            _adds(row),
        )
        for row in share.itertuples()
    ]
    headers = ("Data", "q", "d", "Functions", "Distilled − no teacher", "95 % interval", "Seeds", "Adds?")
    return table(headers, rows, caption="Does the teacher add anything over plain cross-entropy?")


def _adds(row: object) -> str:
    sure = row.seeds >= 8 or row.smallest > 0
    if row.low > 0 and sure:
        return "yes"
    return "it costs" if row.high < 0 else "not shown"


def settings_table(settings: pd.DataFrame) -> Html:
    """Show the settings that the search chose."""
    rows = [
        (
            row.label,
            TITLES[row.data],
            str(row.degree),
            str(row.components),
            row.settings,
            f"{row.validation:.2f} %",
        )
        for row in settings.itertuples()
    ]
    headers = ("Method", "Data", "q", "d", "Settings", "Validation")
    return table(headers, rows, caption="What the search chose")


def condition_table(conditions: pd.DataFrame) -> Html:
    """Show condition numbers of the lifted training data."""
    rows = [
        (
            TITLES[row.data],
            str(row.degree),
            str(row.components),
            f"{row.common:,.0f}",
            f"{row.standardised:,.0f}",
        )
        for row in conditions.itertuples()
    ]
    headers = ("Data", "q", "d", "One scale", "Standardised scores")
    return table(headers, rows, caption="Condition number of the lifted matrix, first seed")


def certificate_table(scores: pd.DataFrame) -> Html:
    """Show how surely the students' solutions are optimal."""
    solved = scores[scores["gradient"].notna() & scores["chosen"]]
    rows = [
        (
            part["label"].iloc[0],
            TITLES[keys[0]],
            str(keys[1]),
            f"{part['gradient'].max():.1e}",
            f"{part['gap'].max():.1e}",
            f"{part['steps'].mean():.0f}",
            f"{part['passes'].mean():.0f}",
            f"{part['seconds'].mean():.1f}",
        )
        for keys, part in solved.groupby(["data", "degree", "method"], sort=False)
    ]
    headers = ("Method", "Data", "q", "Largest gradient", "Largest gap", "Steps", "Passes", "Seconds")
    return table(headers, rows, caption="Certificates: gradient relative to that at W = 0, in float64")


def teacher_words(teachers: pd.DataFrame) -> Html:
    """Say how good the teachers are."""
    parts = [
        f"{TITLES[data]} {format_value(part['accuracy'].mean(), 'percent')}"
        for data, part in teachers.groupby("data", sort=False)
    ]
    return element(
        "p", element("strong", "Teachers' test accuracy, mean over seeds: "), "; ".join(parts), "."
    )


def residual_words(residual: pd.DataFrame) -> Html:
    """Say how distillation and EDMD compare with a ResNet-18 as teacher."""
    title = element("strong", "ResNet-18 as teacher. ")
    if residual.empty:
        return element("p", title, "Not part of this run; tier paper has it.")
    means = residual.groupby("method")["accuracy"].mean()
    numbers = (residual["teacher"].mean(), means["kd"], means["naive_pca"])
    teacher, distilled, naive = (format_value(number, "percent") for number in numbers)
    text = f"Teacher {teacher}; distilled, degree 2, {distilled}; EDMD with PCA {naive}; "
    return element("p", title, text, f"{residual['seed'].nunique()} seeds.")


def radial_words(radial: Mapping[str, float]) -> Html:
    """Say how radial functions compare with as many monomials."""
    text = (
        f"{radial['functions']:,} Gaussians: {format_value(radial['rbf'], 'percent')}; as many monomials: "
        f"{format_value(radial['monomials'], 'percent')}."
    )
    return element("p", element("strong", "Radial functions. "), text)


def answer(gaps: pd.DataFrame) -> Html:
    """Say in words and numbers whether distillation beats least squares, and whether the teacher is why."""
    items = []
    for (data, degree), part in gaps.groupby(["data", "degree"], sort=False):
        by_less = {row.less: row for row in part.itertuples() if row.greater == "kd"}
        words = "; ".join(
            f"{name} {gap_words(by_less[less])}"
            for name, less in (("minus EDMD", "naive"), ("minus cross-entropy without a teacher", "ce"))
        )
        items.append(element("li", f"{TITLES[data]}, {DEGREES[degree]}: distilled {words}"))
    return element("div", element("strong", "Measured here."), element("ul", *items))
