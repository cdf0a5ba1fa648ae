"""Figures and tables of notebook 01, on made-up numbers."""

from itertools import product

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from ntkd_lib.chapters.classification import page
from ntkd_lib.chapters.classification.studies import (
    features_page,
    random_filters_page,
    read_outs,
    stage1_page,
    teacher_strength,
)
from ntkd_lib.lab import entries
from ntkd_lib.show.columns import show_recorded, show_table


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def estimates() -> pd.DataFrame:
    rows = [
        {
            "label": f"kind {i}",
            "height": 360.0,
            "width": 180.0,
            "filters": i,
            "estimate": 90.0 + i,
            "seed": seed,
        }
        for i, seed in product((1, 2, 3), (0, 1))
    ]
    return pd.DataFrame(rows).assign(accuracy=lambda t: t["estimate"] + 5 + t["seed"])


def test_estimates_are_drawn_and_listed_from_the_best_on() -> None:
    swapped = estimates().assign(accuracy=lambda t: 200 - t["accuracy"])
    left, right = stage1_page.draw_estimates(swapped).axes
    assert [text.get_text().split(":")[0] for text in left.get_yticklabels()] == [
        "kind 3",
        "kind 2",
        "kind 1",
    ]
    assert [text.get_text() for text in right.get_yticklabels()] == ["103.50 %", "102.50 %", "101.50 %"]
    assert sorted(tuple(line.get_ydata()) for line in left.lines) == [(0, 2), (1, 1), (2, 0)]
    html = str(show_table(stage1_page.mean_estimates(estimates()), stage1_page.COLUMNS, "Stage 1"))
    assert html.index("kind 3") < html.index("kind 1")
    assert "360 × 180 µm" in html
    assert "98.5" in html


def test_random_filters_show_limit_and_paper() -> None:
    rows = [
        {"data": d, "kind": k, "count": c, "seed": 0, "accuracy": 50.0 + c, "images": 10, "paper": 60.0}
        for d, k, c in product(("mnist", "cifar-10"), ("a", "b"), (8, 500))
    ]
    rows += [
        {"data": d, "kind": "all", "count": 0, "seed": 0, "accuracy": 77.0, "images": 10, "paper": 66.0}
        for d in ("mnist", "cifar-10")
    ]
    figure = random_filters_page.draw_random(pd.DataFrame(rows))
    assert [axes.get_title(loc="left") or axes.get_title() for axes in figure.axes] == ["mnist", "cifar-10"]
    drawn = [line.get_ydata() for line in figure.axes[0].lines]
    assert any(set(values) == {77.0} for values in drawn)
    assert any(set(values) == {60.0} for values in drawn)


def test_depth_says_so_where_it_was_not_run() -> None:
    nothing = pd.DataFrame(columns=["front", "seed", "accuracy"])
    assert "Not run on this tier" in str(read_outs.depth_table(nothing))
    one = pd.DataFrame([{"front": "two layers", "seed": 0, "accuracy": 98.0}])
    assert "98.00 %" in str(read_outs.depth_table(one))


def test_confusions_are_drawn_in_the_order_of_the_classes() -> None:
    classes = ["cat", "ant"]
    rows = [
        {"method": m, "true": t, "guessed": g, "share": 100.0 * (t == g)}
        for m, t, g in product(("KD", "NTKD"), classes, classes)
    ]
    axes = features_page.draw_confusions(pd.DataFrame(rows)).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == classes
    assert np.array_equal(axes.images[0].get_array(), [[100, 0], [0, 100]])


def test_filters_are_drawn_as_what_optics_can_show() -> None:
    filters = np.random.default_rng(0).normal(size=(16, 3, 7, 7))
    figure = features_page.draw_filters(filters)
    assert len(figure.axes) == 3 * 8
    signed, plus, minus = (figure.axes[row * 8].images[0].get_array() for row in range(3))
    assert min(plus.min(), minus.min()) >= 0
    np.testing.assert_allclose(2 * signed - 1, plus - minus, atol=1e-12)
    assert len(entries(features_page.AXES, value=filters)) == filters.size


def test_grey_filters_have_a_scale_of_both_signs() -> None:
    filters = np.random.default_rng(0).normal(size=(8, 1, 7, 7))
    figure = features_page.draw_filters(filters)
    assert len(figure.axes) == 3 * 8 + 3  # a colour bar per row
    signed, plus, minus = (figure.axes[row * 8].images[0].get_array() for row in range(3))
    np.testing.assert_allclose(signed, plus - minus, atol=1e-12)
    assert np.abs(signed).max() <= 1


def test_recorded_run_is_shown_or_said_to_be_missing() -> None:
    assert "ntkd record --list" in str(show_recorded(pd.DataFrame(), page.RECORDED_SCORES, "recorded"))
    ours = {"label": "KD", "mean": 75.0, "low": 74.0, "high": 76.0, "std": 0.5, "paper": np.nan, "seeds": 5}
    scores = str(show_recorded(pd.DataFrame([ours]), page.RECORDED_SCORES, "recorded"))
    assert "[74.00, 76.00]" in scores
    gap = {"label": "NTKD − KD", "mean": -1.0, "low": -2.0, "high": 0.5, "smallest": -2.25, "seeds": 5}
    html = str(show_recorded(pd.DataFrame([gap]), page.DIFFERENCES, "recorded"))
    assert "−2.25" in html
    assert "[−2.00, +0.50]" in html


def test_teachers_are_shown_beside_their_students() -> None:
    one = {"teacher": 91.25, "cosine": 0.98765, "mean": 73.5, "low": 73.25, "high": 73.75, "seeds": 5}
    rows = [{"label": "small", **one, "teacher": 88.0}, {"label": "ResNet-18", **one}]
    html = str(show_recorded(pd.DataFrame(rows), teacher_strength.COLUMNS, "teachers"))
    assert html.index("88.0") < html.rindex("ResNet-18") < html.index("91.2")
    assert "0.9877" in html
    assert "[73.25, 73.75]" in html


def test_students_are_compared_within_a_share_of_labels() -> None:
    rows = [
        {"method": method, "label_share": share, "seed": seed, "accuracy": 90.0 + gain + seed}
        for share, gains in ((1.0, {"none": 0, "kd": 1}), (0.1, {"none": -9, "kd": -4}))
        for method, gain in gains.items()
        for seed in (0, 1)
    ]
    gaps = page.compare(pd.DataFrame(rows), "mnist").set_index("label")
    assert gaps["mean"].to_dict() == {"KD − labels only": 1.0, "KD − labels only, 10 % of labels": 5.0}
    assert list(gaps["first"]) == [91.5, 86.5]
    assert list(gaps["second"]) == [90.5, 81.5]
