"""Figures and tables of notebook 06 draw what they are given and leave nothing out."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from ntkd_lib.chapters.distilled_ntk import paper_costs
from ntkd_lib.show import distilled_ntk as figures
from ntkd_lib.show import distilled_ntk_tables as tables

DATA = ("mnist", "cifar-10")


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def means() -> pd.DataFrame:
    rows = []
    for data in DATA:
        for method in figures.LABELS:
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
    figure = figures.draw_frontier(means(), ("accuracy", "agreement"), "rows", "Jacobian rows")
    assert [axes.get_title() for axes in figure.axes[:2]] == ["MNIST", "CIFAR-10"]
    for axes in figure.axes:
        assert axes.get_xscale() == "log"
        labels = {line.get_label() for line in axes.lines}
        assert {figures.LABELS[m] for m in (*figures.STYLES, "exact", "last layer")} == labels
    figure.canvas.draw()


def test_synthetic_gradients_show_means_over_seeds() -> None:
    scores = pd.DataFrame(
        {"data": data, "seed": seed, "method": method, "size": size, "fidelity": size + seed}
        for data in DATA
        for seed in (0, 2)
        for method in figures.SELECTION_STYLES
        for size in (5, 10, 20, 40)
    )
    axes = figures.draw_synthetic(scores).axes[0]
    assert len(axes.containers) == len(figures.SELECTION_STYLES)
    assert axes.containers[0].lines[0].get_ydata().tolist() == [6, 11, 21, 41]


def test_ranks_and_spectra_have_one_panel_a_data_set() -> None:
    ranks = pd.DataFrame(
        {"data": data, "state": state, "size": size, "truncation": size / 2}
        for data in DATA
        for state in ("initial", "trained", "distilled")
        for size in (10, 50)
    )
    assert len(figures.draw_ranks(ranks).axes) == 2
    spectra = pd.DataFrame(
        {"data": data, "curve": curve, "index": i, "share": 0.5**i}
        for data in DATA
        for curve in ("before", "after")
        for i in (1, 2)
    )
    assert len(figures.draw_spectra(spectra).axes) == 2


def test_stacked_bars_add_up() -> None:
    stages = pd.DataFrame(
        {"method": "random", "stage": s, "seconds": v}
        for s, v in (("tangent kernel", 2.0), ("regression", 0.5))
    )
    left, right = figures.draw_ledger(stages, paper_costs.paper_ledgers()).axes
    assert max(p.get_x() + p.get_width() for p in left.patches) == 2.5
    exact = paper_costs.paper_ledgers()["exact"].built().flop / 1e15
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
    shown = tables.fewest_table(fewest)
    assert "not reached" in shown
    assert "no row needed" in shown
    assert "40.0" in shown


def test_costs_say_when_a_method_pays() -> None:
    shown = tables.cost_table(paper_costs.paper_ledgers())
    assert "the start" in shown
    assert "queries" in shown or "never" in shown


def test_the_answer_names_both_ways_to_count() -> None:
    cheap = {data: means().query("data == @data and method == 'random'").iloc[0] for data in DATA}
    shown = tables.answer(cheap, paper_costs.contract_costs())
    assert "inner products fall 9" in shown
    assert "0.95 times" in shown
