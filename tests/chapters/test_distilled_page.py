"""Figures and tables of notebook 06 draw what they are given and leave nothing out."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from ntkd_lib.chapters.distilled import methods, page
from ntkd_lib.chapters.distilled.studies import (
    costs,
    costs_page,
    points_page,
    reduction_page,
)

DATA = ("mnist", "cifar-10")


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def means() -> pd.DataFrame:
    rows = []
    for data in DATA:
        for method in methods.LABELS:
            for size in (10, 100) if method != "exact" else (2000,):
                for target in ("logits", "labels"):
                    known = {"data": data, "method": method, "size": size, "target": target}
                    scores = dict.fromkeys(("accuracy", "fidelity", "agreement"), 50.0 + size / 100)
                    work = dict.fromkeys(
                        ("flop", "seconds", "mebibytes", "query_flop", "total_seconds"), 1.0 * size
                    )
                    rows.append({**known, **scores, **work, "rows": 10.0 * size, "fewer": 2000 / size})
    return pd.DataFrame(rows)


def test_a_frontier_holds_every_method_for_both_data_sets() -> None:
    figure = points_page.draw_frontier(means(), ("accuracy", "agreement"), "rows", "Jacobian rows")
    assert [axes.get_title() for axes in figure.axes[:2]] == ["MNIST", "CIFAR-10"]
    for axes in figure.axes:
        assert axes.get_xscale() == "log"
        labels = {line.get_label() for line in axes.lines}
        assert {methods.LABELS[m] for m in (*points_page.STYLES, "exact", "last layer")} == labels
    figure.canvas.draw()


def test_synthetic_gradients_show_means_over_seeds() -> None:
    scores = pd.DataFrame(
        {"data": data, "seed": seed, "method": method, "size": size, "fidelity": size + seed}
        for data in DATA
        for seed in (0, 2)
        for method in reduction_page.STYLES
        for size in (5, 10, 20, 40)
    )
    axes = reduction_page.draw_synthetic(scores).axes[0]
    assert len(axes.containers) == len(reduction_page.STYLES)
    assert axes.containers[0].lines[0].get_ydata().tolist() == [6, 11, 21, 41]


def test_ranks_and_spectra_have_one_panel_a_data_set() -> None:
    ranks = pd.DataFrame(
        {"data": data, "state": state, "size": size, "truncation": size / 2}
        for data in DATA
        for state in ("initial", "trained", "distilled")
        for size in (10, 50)
    )
    assert len(reduction_page.draw_ranks(ranks).axes) == 2
    spectra = pd.DataFrame(
        {"data": data, "curve": curve, "index": i, "share": 0.5**i}
        for data in DATA
        for curve in ("before", "after")
        for i in (1, 2)
    )
    assert len(reduction_page.draw_spectra(spectra).axes) == 2


def test_stacked_bars_add_up() -> None:
    stages = pd.DataFrame(
        {"method": "random", "stage": s, "seconds": v}
        for s, v in (("tangent kernel", 2.0), ("regression", 0.5))
    )
    left, right = costs_page.draw_ledger(stages).axes
    assert max(p.get_x() + p.get_width() for p in left.patches) == 2.5
    exact = costs.paper_ledgers()["exact"].built().flop / 1e15
    assert np.isclose([p.get_x() + p.get_width() for p in right.patches], exact).any()


def test_tables_say_where_a_level_is_not_reached() -> None:
    fewest = pd.DataFrame(
        [
            {
                "data": "mnist",
                "target": "logits",
                "method": "random",
                "rows": 500.0,
                "fewer": 40.0,
                "cheap_agreement": 99.2,
            },
            {
                "data": "mnist",
                "target": "logits",
                "method": "nystrom",
                "rows": np.nan,
                "fewer": np.nan,
                "cheap_agreement": np.nan,
            },
            {
                "data": "mnist",
                "target": "logits",
                "method": "last layer",
                "rows": 0.0,
                "fewer": np.inf,
                "cheap_agreement": 98.0,
            },
        ]
    )
    shown = points_page.fewest_table(fewest)
    assert "not reached" in shown
    assert "no row needed" in shown
    assert "40.0" in shown


def test_costs_say_when_a_method_pays() -> None:
    shown = costs_page.cost_table()
    assert "the start" in shown
    assert "queries" in shown or "never" in shown


def test_the_best_method_of_each_data_set_has_a_line_of_its_own() -> None:
    shown = page.best_table(means())
    assert all(name in shown for name in ("MNIST", "CIFAR-10", "100"))


def test_inner_products_alone_fall_and_the_whole_build_does_not() -> None:
    operations = costs.contract_costs()
    assert 9.7e5 < operations["dntk.cost.exact_gram"] / operations["dntk.cost.reduced_gram"] < 9.9e5
    assert round(operations["dntk.cost.exact_kernel"] / operations["dntk.cost.dntk_total"], 2) == 0.95
