"""Figures and tables of notebook 01's controls and colour images, on made-up numbers."""

from itertools import product

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from ntkd_lib.show import ntkd_colour, ntkd_controls


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
    axes = ntkd_controls.draw_estimates(estimates()).axes[0]
    assert [text.get_text() for text in axes.texts] == ["1", "2", "3"]
    html = str(ntkd_controls.estimate_table(estimates()))
    assert html.index("kind 3") < html.index("kind 1")
    assert "360 × 180 µm" in html
    assert "98.5" in html
    asked = {"filters": 8, "estimate": 91.25}
    assert "recorded" not in str(ntkd_controls.estimate_words({0: -0.25}, {}, asked))
    words = str(ntkd_controls.estimate_words({0: -0.25}, {0: 0.5, 1: -0.125}, asked))
    assert "by seed \N{MINUS SIGN}0.25, in the recorded run 0.50, \N{MINUS SIGN}0.12; the surface" in words
    assert "−0.25" in words
    assert "holds 8 signed filters" in words


def test_random_filters_show_limit_and_paper() -> None:
    rows = [
        {"data": d, "kind": k, "count": c, "seed": 0, "accuracy": 50.0 + c, "images": 10, "paper": 60.0}
        for d, k, c in product(("mnist", "cifar-10"), ("a", "b"), (8, 500))
    ]
    rows += [
        {"data": d, "kind": "all", "count": 0, "seed": 0, "accuracy": 77.0, "images": 10, "paper": 66.0}
        for d in ("mnist", "cifar-10")
    ]
    figure = ntkd_controls.draw_random(pd.DataFrame(rows))
    assert [axes.get_title(loc="left") or axes.get_title() for axes in figure.axes] == ["mnist", "cifar-10"]
    drawn = [line.get_ydata() for line in figure.axes[0].lines]
    assert any(set(values) == {77.0} for values in drawn)
    assert any(set(values) == {60.0} for values in drawn)


def test_depth_says_so_where_it_was_not_run() -> None:
    nothing = pd.DataFrame(columns=["label", "seed", "accuracy"])
    assert "Not run on this tier" in str(ntkd_controls.depth_table(nothing))
    one = pd.DataFrame([{"label": "two layers", "seed": 0, "accuracy": 98.0}])
    assert "98.00 %" in str(ntkd_controls.depth_table(one))


def test_confusions_are_drawn_in_the_order_of_the_classes() -> None:
    classes = ["cat", "ant"]
    rows = [
        {"method": m, "true": t, "guessed": g, "share": 100.0 * (t == g)}
        for m, t, g in product(("KD", "NTKD"), classes, classes)
    ]
    axes = ntkd_colour.draw_confusions(pd.DataFrame(rows)).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == classes
    assert np.array_equal(axes.images[0].get_array(), [[100, 0], [0, 100]])


def test_filters_are_drawn_as_what_optics_can_show() -> None:
    filters = np.random.default_rng(0).normal(size=(16, 3, 7, 7))
    figure = ntkd_colour.draw_colour_filters(filters)
    assert len(figure.axes) == 3 * 8
    signed, plus, minus = (figure.axes[row * 8].images[0].get_array() for row in range(3))
    assert min(plus.min(), minus.min()) >= 0
    np.testing.assert_allclose(2 * signed - 1, plus - minus, atol=1e-12)
    assert len(ntkd_colour.filter_data(filters)) == filters.size


def test_answer_names_seeds() -> None:
    row = {"label": "KD − labels only", "mean": -1.5, "share": 1, "seeds": 1}
    best = pd.Series({"label": "KD", "mean": 73.2})
    words = str(ntkd_colour.colour_answer(pd.DataFrame([row]), best))
    assert "1 seed, so no interval" in words
    assert "−1.50 points" in words


def test_recorded_run_is_shown_or_said_to_be_missing() -> None:
    empty = str(ntkd_colour.recorded_tables(pd.DataFrame(), pd.DataFrame()))
    assert "ntkd record --list" in empty
    ours = {"label": "KD", "mean": 75.0, "low": 74.0, "high": 76.0, "std": 0.5, "paper": np.nan, "seeds": 5}
    gap = {"label": "NTKD − KD", "mean": -1.0, "low": -2.0, "high": -0.5, "smallest": -2.25}
    html = str(ntkd_colour.recorded_tables(pd.DataFrame([ours]), pd.DataFrame([gap])))
    assert "[74.00, 76.00]" in html
    assert "−2.25" in html


def test_strength_of_teachers_is_shown_or_said_to_be_missing() -> None:
    nothing = str(ntkd_colour.strength_tables(pd.DataFrame(), pd.DataFrame()))
    assert "ntkd record --list" in nothing
    one = {"teacher": 91.25, "cosine": 0.98765, "mean": 73.5, "low": 73.25, "high": 73.75, "seeds": 5}
    rows = [{"label": "small", **one, "teacher": 88.0}, {"label": "ResNet-18", **one}]
    gap = {"label": "stronger − weaker teacher", "mean": -0.5, "low": -1.0, "high": 0.25, "smallest": -1.5}
    html = str(ntkd_colour.strength_tables(pd.DataFrame(rows), pd.DataFrame([gap])))
    assert "The ResNet-18 reaches 3.25 points more than the small" in html
    assert "its students 0.50 points less [−1.00, +0.25]" in html
    assert html.index("88.0") < html.rindex("ResNet-18") < html.index("91.2")
    assert "0.9877" in html
    assert "−0.50" in html
    assert "[73.25, 73.75]" in html


@pytest.mark.parametrize(
    "low, high, answer",
    [
        (0.25, 0.75, "here the stronger teacher is the better one"),
        (-0.75, -0.25, "here the stronger teacher is the worse one"),
        (-0.25, 0.75, "here neither teacher is shown to be better"),
        (-0.75, 0.0, "here neither teacher is shown to be better"),
        (0.0, 0.75, "here neither teacher is shown to be better"),
    ],
)
def test_the_interval_says_which_teacher_is_the_better(low, high, answer) -> None:
    one = {"teacher": 91.25, "cosine": 0.98765, "mean": 73.5, "low": 73.25, "high": 73.75, "seeds": 5}
    rows = pd.DataFrame([{"label": "small", **one}, {"label": "ResNet-18", **one}])
    gap = {"label": "stronger − weaker teacher", "mean": 0.25, "low": low, "high": high, "smallest": -1.5}
    assert answer in str(ntkd_colour.strength_tables(rows, pd.DataFrame([gap])))
