"""Tables and sentences of notebook 02."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ntkd_lib.data.catalogue import CARVANA
from ntkd_lib.show.html import Html, element, table
from ntkd_lib.show.ntkd_classification import spread
from ntkd_lib.show.numbers import MINUS, format_value, gap_words


def answer(gaps: pd.DataFrame) -> Html:
    """Say whether NTKD > KD > masks only holds, in words and numbers."""
    by_pair = {(row.greater, row.less): row for row in gaps.itertuples()}
    parts = [
        f"{label}: {gap_words(by_pair[pair])}"
        for label, pair in (
            ("NTKD minus soft-label KD", ("ntkd", "kd")),
            ("soft-label KD minus masks only", ("kd", "none")),
            ("NTKD minus masks only with the same training time", ("ntkd", "none_long")),
        )
    ]
    return element("p", element("strong", "Measured here. "), "; ".join(parts) + ".")


def terms() -> Html:
    """Say under which terms the photographs may be used."""
    return element(
        "p",
        element("strong", "Terms of the data. "),
        f"{CARVANA.licence}. Pages show drawings in their place; parameter show_images draws photographs, "
        "for a page that stays with whoever made it.",
    )


def score_table(summary: pd.DataFrame) -> Html:
    """Show the students' scores as a table."""
    rows = [
        (
            student.label,
            format_value(student.mean, "percent"),
            *spread(student),
            f"{student.boundary:.1f} %",
            "–" if np.isnan(student.paper) else f"{student.paper:g} %",
            f"{student.parameters:,}",
            f"{student.seconds:.0f}",
        )
        for student in summary.itertuples()
    ]
    headers = (
        "Student",
        "Test mIoU",
        "95 % interval",
        "Std",
        "Boundary F",
        "Paper",
        "Parameters",
        "Seconds a seed",
    )
    return table(headers, rows, caption="All students, mean over seeds")


def teacher_table(teacher: pd.DataFrame) -> Html:
    """Show the teacher and the quality of its compressed kernels."""
    rows = [
        (
            f"{row.summary} logits",
            format_value(row.miou, "percent"),
            f"{row.boundary:.1f} %",
            f"{row.parameters:,}",
            f"{row.cosine:.4f}",
            f"{row.relative_error:.3f}",
            f"{row.seconds:.0f}",
        )
        for row in teacher.itertuples()
    ]
    scored = ("Test mIoU", "Boundary F", "Parameters")
    headers = ("Kernel of", *scored, "Kernel cosine", "Kernel error", "Seconds")
    return table(headers, rows, caption="The teacher and its two compressed kernels")


def energy_table(energy: pd.DataFrame) -> Html:
    """Show multiply-adds and energies, ours and the paper's."""
    rows = [
        (
            row.system,
            f"{row.macs:,.0f}",
            f"{row.compute:,.2f}",
            f"{row.capture:.2f}",
            f"{row.total:,.2f}",
            f"{row.saving:.1f} %".replace("-", MINUS),
            f"{row.ratio:,.1f}",
        )
        for row in energy.itertuples()
    ]
    headers = (
        "System",
        "Multiply-adds (M)",
        "Compute (mJ)",
        "Capture (mJ)",
        "Both (mJ)",
        "Hybrid saves",
        "Compute, ratio to hybrid",
    )
    return table(headers, rows, caption="Multiply-adds and energy, one image")
