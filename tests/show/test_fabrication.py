"""Figures and tables of notebook 03 draw what they are given and leave nothing out."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from ntkd_lib.chapters.fabrication_recovery.optics_summary import ColourDesign, Maps
from ntkd_lib.show import fabrication_optics as optics
from ntkd_lib.show import fabrication_recovery as figures


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def sweep() -> pd.DataFrame:
    rows = []
    for x in (0.0, 30.0, 60.0):
        for way in ("uncompensated", "vaccinated", *(("e2e_ft", "ntkd_ft") if x else ())):
            mean = 98 - x / (1 if way == "uncompensated" else 10)
            row = {"way": way, "label": way, "x": x, "mean": mean, "low": mean - 1, "high": mean + 1}
            rows.append({**row, "share": 80.0, "share_low": 70.0, "share_high": 90.0})
    return pd.DataFrame(rows)


def summary() -> pd.DataFrame:
    known = {"low": 90.0, "high": 99.0, "ideal": 98.5, "paper": np.nan, "paper_share": np.nan}
    values = {"uncompensated": (90.4, 0.0), "e2e_ft": (98.0, 93.8)}
    return pd.DataFrame(
        {"name": name, "label": name, "mean": mean, "share": share, **known}
        for name, (mean, share) in values.items()
    )


def test_the_sweep_has_shares_only_where_something_was_recovered() -> None:
    above, below = figures.draw_sweep(sweep(), 18.75).axes
    assert {line.get_label() for line in above.lines} >= {"uncompensated", "vaccinated", "e2e_ft", "ntkd_ft"}
    assert [line.get_xdata().tolist() for line in below.lines[:2]] == [[30, 60], [30, 60]]
    assert above.get_xlim()[0] == 0


def test_a_tornado_has_two_bars_an_error() -> None:
    ends = {f"{end}{part}": -1.0 for end in ("first", "second") for part in ("", "_low", "_high")}
    axes = figures.draw_tornado(pd.DataFrame({"error": name, **ends} for name in ("shift", "gain"))).axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["shift", "gain"]
    assert len(axes.patches) == 4


def test_theory_shows_every_reading_with_its_slope() -> None:
    table = pd.DataFrame(
        {"reading": r, "label": r, "filters": m, "seed": s, "change": (1 + s) / m}
        for r in ("total", "weight", "linear")
        for m in (8, 16)
        for s in (0, 1)
    )
    slopes = pd.DataFrame(
        {"label": r, "slope": -1.0, "low": -1.2, "high": -0.8, "last": -1.0}
        for r in ("total", "weight", "linear")
    )
    figure = figures.draw_theory(table, slopes)
    named = [text.get_text() for text in figure.legends[0].get_texts()]
    assert named == [f"{r}: slope −1.00" for r in ("total", "weight", "linear")] + ["slope −1"]
    assert "−1.200 to −0.800" in optics.slope_table(slopes)


def test_a_design_is_drawn_for_every_colour() -> None:
    square = np.ones((3, 7, 7))
    design = ColourDesign(np.ones((20, 20)), np.ones((3, 20, 20)), square, square, square, [0.99, 0.98, 0.97])
    assert len(optics.draw_pillars(design).axes) == 8
    labels = [axes.get_ylabel() for axes in optics.draw_light(design).axes]
    assert {"red, cosine 0.990", "green, cosine 0.980", "blue, cosine 0.970"} <= set(labels)


def test_maps_share_one_scale() -> None:
    maps = Maps(np.ones((28, 28)), np.full((8, 14, 14), 2.0), np.ones((8, 14, 14)))
    images = [axes.images[0] for axes in optics.draw_maps(maps).axes[1:] if axes.images]
    assert {image.get_clim() for image in images if image.get_cmap().name == "viridis"} == {(0.0, 2.0)}


@pytest.mark.parametrize(
    ("stops", "text"),
    [(None, "At every strength that was tried"), (60.0, "From a strength of 60 % on NTKD wins back less")],
)
def test_the_answer_says_where_recovery_ends(stops: float | None, text: str) -> None:
    gaps = pd.DataFrame([{"mean": -0.1, "low": -0.2, "high": 0.05}])
    said = optics.answer(summary(), gaps, stops, sweep())
    assert text in said
    assert "from 98.50 to 90.40 %" in said
    assert "NTKD minus labels −0.10 points, interval [−0.20, +0.05]" in said
    assert "at 60 % it goes from 38.0 to 92.0 %" in said


def test_the_recovery_table_names_every_way() -> None:
    said = optics.recovery_table(summary())
    assert "e2e_ft" in said
    assert "94 %" in said
