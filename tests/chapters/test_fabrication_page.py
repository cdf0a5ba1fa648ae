"""Figures and tables of notebook 03 draw what they are given and leave nothing out."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from ntkd_lib.chapters.fabrication import page
from ntkd_lib.chapters.fabrication.studies import optics_page, theory_page
from ntkd_lib.chapters.fabrication.studies.optics_page import ColourDesign, Maps
from ntkd_lib.show.columns import show_table


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


def scores() -> pd.DataFrame:
    """Invent what three devices reach: 98.5 % without errors, 90.4 % with them."""
    reached = {"uncompensated": 90.4, "e2e_ft": 98.0, "ntkd_ft": 97.9, page.WAYS.chosen_form(): 97.9}
    return pd.DataFrame(
        {"way": w, "label": page.LABELS[w], "seed": s, "accuracy": mean + s, "ideal": 98.5 + s}
        for w, mean in reached.items()
        for s in (-1, 0, 1)
    )


def test_the_sweep_has_shares_only_where_something_was_recovered() -> None:
    above, below = page.draw_sweep(sweep()).axes
    assert {line.get_label() for line in above.lines} >= {"uncompensated", "vaccinated", "e2e_ft", "ntkd_ft"}
    assert [line.get_xdata().tolist() for line in below.lines[:2]] == [[30, 60], [30, 60]]
    assert above.get_xlim()[0] == 0


def test_a_tornado_has_two_bars_an_error() -> None:
    ends = {f"{end}{part}": -1.0 for end in ("first", "second") for part in ("", "_low", "_high")}
    axes = page.draw_tornado(pd.DataFrame({"error": name, **ends} for name in ("shift", "gain"))).axes[0]
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
    figure = theory_page.draw(table, slopes)
    named = [text.get_text() for text in figure.legends[0].get_texts()]
    assert named == [f"{r}: slope −1.00" for r in ("total", "weight", "linear")] + ["slope −1"]
    assert "−1.200 to −0.800" in show_table(slopes, theory_page.COLUMNS, "slopes")


def test_a_design_is_drawn_for_every_colour() -> None:
    square = np.ones((3, 7, 7))
    design = ColourDesign(np.ones((20, 20)), np.ones((3, 20, 20)), square, square, square, [0.99, 0.98, 0.97])
    assert len(optics_page.draw_pillars(design).axes) == 8
    labels = [axes.get_ylabel() for axes in optics_page.draw_light(design).axes]
    assert {"red, cosine 0.990", "green, cosine 0.980", "blue, cosine 0.970"} <= set(labels)


def test_maps_share_one_scale() -> None:
    maps = Maps(np.ones((28, 28)), np.full((8, 14, 14), 2.0), np.ones((8, 14, 14)))
    images = [axes.images[0] for axes in optics_page.draw_maps(maps).axes[1:] if axes.images]
    assert {image.get_clim() for image in images if image.get_cmap().name == "viridis"} == {(0.0, 2.0)}


@pytest.mark.parametrize(("share", "text"), [(80.0, "–"), (20.0, "30 % on")])
def test_the_table_of_the_end_names_where_recovery_stops(share: float, text: str) -> None:
    table = show_table(page.end(sweep().assign(share=share)), page.END, "end")
    for part in (text, "38.0 %", "92.0 %"):
        assert f">{part}</td>" in table
    assert ">60 %</th>" in table


def test_the_recovery_table_has_shares_and_the_papers_values() -> None:
    means = page.summary(scores()).set_index("way")
    assert "ntkd_ft" not in means.index
    assert means.loc["e2e_ft", "share"] == pytest.approx(100 * 7.6 / 8.1)
    assert means.loc[page.WAYS.chosen_form(), "paper"] == 95.1
    table = show_table(means.reset_index(), page.RECOVERIES, "recoveries")
    assert "labels (end to end)" in table
    assert "94 %" in table
    assert "93.2 %" in table


def test_differences_are_paired_seed_by_seed() -> None:
    gaps = page.differences(scores())
    assert gaps["label"][0] == "NTKD − labels (end to end)"
    assert gaps["mean"][0] == pytest.approx(-0.1)
    assert "−0.10" in show_table(gaps, page.DIFFERENCES, "differences")
