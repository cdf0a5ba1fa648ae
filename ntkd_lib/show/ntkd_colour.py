"""Figures and tables of the colour images in notebook 01."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from ntkd_lib.show.html import Html, element, table
from ntkd_lib.show.numbers import MINUS, format_value, interval_text, signed


def draw_embedding(plane: pd.DataFrame) -> Figure:
    """Draw the plane of the features of test images, a panel a student, a colour a class."""
    methods, classes = (list(dict.fromkeys(plane[name])) for name in ("method", "class"))
    figure, panels = plt.subplots(1, len(methods), figsize=(7.2, 3.4))
    for axes, method in zip(panels, methods, strict=True):
        part = plane[plane["method"] == method]
        for colour, name in zip(sns.color_palette("tab10"), sorted(classes), strict=False):
            mine = part[part["class"] == name]
            axes.scatter(mine["x"], mine["y"], s=6, color=colour, linewidth=0, label=name)
        axes.set(xticks=[], yticks=[], title=method)
        axes.grid(visible=False)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5, markerscale=2.5, fontsize=9)
    return figure


def draw_confusions(shares: pd.DataFrame) -> Figure:
    """Draw confusion matrices, a panel a student."""
    methods, classes = (list(dict.fromkeys(shares[name])) for name in ("method", "true"))
    figure, panels = plt.subplots(1, len(methods), figsize=(7.2, 3.4))
    for axes, method in zip(panels, methods, strict=True):
        part = shares[shares["method"] == method].pivot(index="true", columns="guessed", values="share")
        drawn = axes.imshow(part.loc[classes, classes], cmap="viridis", vmin=0, vmax=100)
        axes.set_title(method)
        axes.set_xticks(range(len(classes)), classes, rotation=90, fontsize=8)
        axes.set_yticks(range(len(classes)), classes if axes is panels[0] else [], fontsize=8)
        axes.grid(visible=False)
    panels[0].set_ylabel("true class")
    panels[0].set_xlabel("taken for")
    figure.colorbar(drawn, ax=list(panels), shrink=0.6, label="% of the true class")
    return figure


def draw_colour_filters(filters: np.ndarray) -> Figure:
    """Draw signed colour filters and the PSF pairs that realise them, red, green and blue as in an image."""
    peak = np.abs(filters).max(axis=(0, 2, 3), keepdims=True)
    unit = (filters / peak).transpose(0, 2, 3, 1)[:8]
    rows = {
        "filter": (unit + 1) / 2,
        "PSF +": np.maximum(unit, 0),
        f"PSF {MINUS}": np.maximum(-unit, 0),
    }
    figure, panels = plt.subplots(3, len(unit), figsize=(7.2, 3.0))
    for line, (name, images) in zip(panels, rows.items(), strict=True):
        for axes, image in zip(line, images, strict=True):
            axes.imshow(image)
            axes.set(xticks=[], yticks=[])
            axes.grid(visible=False)
        line[0].set_ylabel(name)
    return figure


def filter_data(filters: np.ndarray) -> pd.DataFrame:
    """List the entries of colour filters, one a row."""
    index = np.indices(filters.shape).reshape(4, -1)
    names = ("filter", "colour", "row", "column")
    return pd.DataFrame(dict(zip(names, index, strict=True)) | {"value": filters.ravel()})


def teacher_table(teachers: pd.DataFrame) -> Html:
    """Show the teachers on colour images and the quality of their sketched kernels."""
    rows = [
        (
            row.network,
            format_value(row.accuracy, "percent"),
            f"{row.parameters:,}",
            f"{row.cosine:.4f}",
            f"{row.cosine_off_diagonal:.4f}",
            f"{row.relative_error:.3f}",
            f"{row.training:.0f} + {row.sketching:.0f}",
        )
        for row in teachers.itertuples()
    ]
    headers = (
        "Teacher",
        "Test accuracy",
        "Weights",
        "Kernel cosine",
        "off the diagonal",
        "Kernel error",
        "Seconds (training + sketch)",
    )
    return table(headers, rows, caption="Teachers on colour images")


def settings_table(rows: pd.DataFrame) -> Html:
    """Show the settings of the students on colour images."""
    cells = [
        (row.label, row.settings, str(row.trials), f"{row.validation:.2f} %") for row in rows.itertuples()
    ]
    headers = ("Student", "Settings", "Trials", "Validation accuracy")
    return table(headers, cells, caption="Settings on colour images")


def colour_answer(gaps: pd.DataFrame, best: pd.Series) -> Html:
    """Say how the best student did and what each kind of transfer added, in words and numbers."""
    shown = gaps[gaps["share"] == 1].head(3)
    parts = [f"{row.label}: {signed(row.mean)} points" for row in shown.itertuples()]
    count = int(shown["seeds"].iloc[0])
    words = f"{count} seed{'s' if count > 1 else ', so no interval'}"
    lead = f"Best student {best['label']} at {best['mean']:.2f} % ({words}). "
    return element("p", element("strong", "Measured here. "), lead, "; ".join(parts) + ".")


def recorded_tables(scores: pd.DataFrame, gaps: pd.DataFrame) -> Html:
    """Show the recorded comparison: accuracies, and differences seed by seed."""
    if scores.empty:
        return element(
            "p",
            "No longer run is recorded yet; ",
            element("code", "ntkd record --list"),
            " shows how far it is.",
        )
    caption = "The recorded run: differences in points, seed by seed"
    return element("div", _recorded_scores(scores), _recorded_gaps(gaps, caption))


def crossed_table(rows: pd.DataFrame) -> Html:
    """Show NTKD beside labels alone when both train at the same settings."""
    cells = [
        (
            row.label,
            format_value(row.none, "percent"),
            format_value(row.ntkd, "percent"),
            signed(row.mean),
            interval_text(row.low, row.high, sign="+"),
            str(row.seeds),
        )
        for row in rows.itertuples()
    ]
    headers = ("Both trained at the", "Labels alone", "NTKD", "Difference", "95 % interval", "Seeds")
    caption = "CIFAR-10, one learning rate and weight decay for both, the recorded run: test accuracy"
    return table(headers, cells, caption=caption)


def strength_tables(teachers: pd.DataFrame, gaps: pd.DataFrame) -> Html:
    """Show what students of a weaker and of a stronger teacher reach."""
    if teachers.empty:
        return element(
            "p",
            "Students of a stronger teacher are not recorded yet; ",
            element("code", "ntkd record --list"),
            " shows how far it is.",
        )
    rows = [
        (
            row.label,
            format_value(row.teacher, "percent"),
            f"{row.cosine:.4f}",
            format_value(row.mean, "percent"),
            interval_text(row.low, row.high),
            str(row.seeds),
        )
        for row in teachers.itertuples()
    ]
    headers = ("Teacher", "Its accuracy", "Kernel cosine", "NTKD students", "95 % interval", "Seeds")
    scores = table(headers, rows, caption="CIFAR-10, NTKD by teacher, the recorded run: test accuracy")
    answer = _strength_answer(teachers, gaps)
    return element("div", answer, scores, _recorded_gaps(gaps, "Difference in points, seed by seed"))


def _strength_answer(teachers: pd.DataFrame, gaps: pd.DataFrame) -> Html:
    (_, weak), *strong = teachers.iterrows()
    found = [
        _strength_words(weak, row, gap) for (_, row), (_, gap) in zip(strong, gaps.iterrows(), strict=True)
    ]
    return element("p", element("strong", "Measured. "), " ".join(found))


def _strength_words(weak: pd.Series, strong: pd.Series, gap: pd.Series) -> str:
    side = "better" if gap["low"] > 0 else "worse" if gap["high"] < 0 else ""
    found = f"the stronger teacher is the {side} one" if side else "neither teacher is shown to be better"
    lead = f"The {strong['label']} reaches {_beside(strong['teacher'] - weak['teacher'])}"
    interval = interval_text(gap["low"], gap["high"], sign="+")
    students = f"its students {_beside(gap['mean'])} {interval}"
    return f"{lead} than the {weak['label']}, and {students} than those of the other: here {found}."


def _beside(points: float) -> str:
    return f"{abs(points):.2f} points {'less' if points < 0 else 'more'}"


def _recorded_scores(scores: pd.DataFrame) -> Html:
    rows = [
        (
            row.label,
            format_value(row.mean, "percent"),
            interval_text(row.low, row.high),
            f"{row.std:.2f}",
            "–" if np.isnan(row.paper) else f"{row.paper:g} %",
            str(row.seeds),
        )
        for row in scores.itertuples()
    ]
    headers = ("Student", "Test accuracy", "95 % interval", "Std", "Paper", "Seeds")
    return table(headers, rows, caption="The recorded run on colour images")


def _recorded_gaps(gaps: pd.DataFrame, caption: str) -> Html:
    rows = [
        (row.label, *(signed(value) for value in (row.mean, row.low, row.high, row.smallest)))
        for row in gaps.itertuples()
    ]
    headers = ("Pair", "Difference", "Lower end", "Upper end", "Smallest")
    return table(headers, rows, caption=caption)
