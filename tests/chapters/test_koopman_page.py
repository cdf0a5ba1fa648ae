"""Figures and tables of notebook 04 draw what they are given, and words follow the numbers."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from ntkd_lib.chapters.koopman import page, plan
from ntkd_lib.chapters.koopman.inputs import teacher
from ntkd_lib.chapters.koopman.methods import LABELS
from ntkd_lib.chapters.koopman.parameters import KoopmanParameters
from ntkd_lib.chapters.koopman.studies import (
    residual,
    sides_page,
    sizes,
)
from ntkd_lib.chapters.koopman.work import least_squares
from ntkd_lib.chapters.run import Run, with_needs
from ntkd_lib.lab.cells import Cell, Record
from ntkd_lib.lab.claims import load_claims
from ntkd_lib.lab.layout import tier_layout
from ntkd_lib.lab.work import Data
from ntkd_lib.show.columns import show_table

SEEDS, GAP = range(4), {"kd": 0.0, "ce": 0.5, "naive": -1.0}


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def scores() -> pd.DataFrame:
    """Return scores with a set mean per method; cross-entropy is half a point above distillation."""
    rows = [
        {
            "data": data,
            "degree": degree,
            "method": method,
            "label": LABELS[method],
            "components": d,
            "seed": seed,
            "chosen": d == 20,
            "accuracy": 90 + degree + d / 10 + seed / 100 + GAP.get(method, 0.0),
            "gradient": 5e-7 if method in ("kd", "ce") else np.nan,
            "gap": 1e-9,
            "steps": 8,
            "passes": 50.0,
            "seconds": 3.0,
        }
        for data in page.TITLES
        for degree in (2, 3, 1)
        for method in ("kd", "ce", "naive", "naive_published", "ls_logits", "ls_onehot")
        for d in (10, 20)
        for seed in SEEDS
    ]
    return pd.DataFrame(rows)


def test_accuracy_has_a_dot_for_every_seed_and_the_papers_marks_on_digits_alone() -> None:
    table = scores()
    figure = page.draw_accuracy(table, page.summary(table))
    dots = [sum(len(c.get_offsets()) for c in axes.collections) for axes in figure.axes]
    assert dots == [len(SEEDS) * 6] * 4
    verticals = [
        {line.get_xdata()[0] for line in axes.lines if line.get_linestyle() in ("--", ":")}
        for axes in figure.axes
    ]
    assert verticals == [{95.98, 96.7}, {96.77, 96.7}, set(), set()]
    figure.canvas.draw()


def test_the_teachers_share_is_distillation_minus_none() -> None:
    share = sizes.teacher_share(scores())
    assert np.allclose(share["mean"], -0.5)
    figure = sizes.draw_teacher_share(share)
    for axes in figure.axes:
        drawn = [container.lines[0].get_ydata() for container in axes.containers]
        assert np.allclose(drawn, -0.5)
    text = show_table(share, sizes.SHARE, "share")
    assert text.count("it costs") == len(share) == 2 * 3 * 2


@pytest.mark.parametrize(
    "low, high, smallest, seeds, words",
    [
        (0.1, 0.3, 0.05, 5, "yes"),
        (0.1, 0.3, -0.05, 5, "not shown"),
        (0.1, 0.3, -0.05, 10, "yes"),
        (-0.1, 0.3, -0.2, 10, "not shown"),
        (-0.3, -0.1, -0.4, 10, "it costs"),
    ],
)
def test_a_yes_needs_the_interval_and_with_few_seeds_every_seed(low, high, smallest, seeds, words) -> None:
    row = {"data": "mnist", "degree": 2, "components": 10, "functions": 66, "mean": (low + high) / 2}
    share = pd.DataFrame([{**row, "low": low, "high": high, "smallest": smallest, "seeds": seeds}])
    assert f">{words}<" in show_table(share, sizes.SHARE, "share")


def test_differences_are_paired_and_listed_digits_first() -> None:
    gaps = page.differences(scores())
    over_edmd = gaps[(gaps["greater"] == "kd") & (gaps["less"] == "naive")]
    assert np.allclose(over_edmd["mean"], 1.0)
    assert (over_edmd["wins"] == len(SEEDS)).all()
    assert gaps["data"].tolist() == ["mnist"] * 10 + ["fashion"] * 10
    text = show_table(gaps, page.GAPS, "gaps")
    assert text.count("4 of 4 seeds") == 8  # over EDMD; cross-entropy over least squares to labels
    assert f"{LABELS['kd']} − {LABELS['ce']}" in text
    assert text.count("−0.50") >= 4


def test_costs_count_projection_products_and_read_out() -> None:
    rows = sizes.by_size(scores())
    row = rows[(rows["degree"] == 2) & (rows["components"] == 10)].iloc[0]
    assert (row["functions"], row["products"]) == (66, 55)
    assert row["multiplications"] == 784 * 10 + 55 + 660
    for column in ("functions", "multiplications"):
        figure = sizes.draw_sizes(rows, column, column)
        for axes in figure.axes:
            assert len(axes.lines) == 6
            assert axes.lines[0].get_xdata().tolist() == sorted(rows[rows["degree"] == 2][column].unique())


def test_spread_bars_are_one_deviation_long() -> None:
    values = {"kd": (-0.1, 0.1), "naive": (-0.3, 0.3)}
    rows = [
        {"method": method, "what": what, "deviation": value}
        for what in ("seeds", "90 % of the images")
        for method, pair in values.items()
        for value in pair
    ]
    figure = sides_page.draw_stability(pd.DataFrame(rows))
    bars = [line.get_xdata() for line in figure.axes[0].lines[1:]]
    assert np.allclose(bars[0], [-np.sqrt(0.02), np.sqrt(0.02)])
    assert np.allclose(bars[1], 3 * bars[0])


def test_adam_is_drawn_above_the_minimum_against_newtons_time() -> None:
    course = pd.DataFrame({"order": [0, 0, 1, 1], "seconds": [1, 2, 1, 2], "excess": [0.1, 0.01, 0.2, 0.02]})
    axes = sides_page.draw_course(course.assign(newton=0.7)).axes[0]
    assert [line.get_ydata().tolist() for line in axes.lines[:2]] == [[0.1, 0.01], [0.2, 0.02]]
    assert axes.lines[2].get_xdata()[0] == 0.7


def test_hardware_shows_means_over_seeds() -> None:
    faults = pd.DataFrame(
        {"method": "kd", "fault": fault, "level": level, "seed": seed, "accuracy": 90 + 2 * seed}
        for fault in sides_page.FAULTS
        for level in (0.1, 0.3)
        for seed in (0, 1)
    )
    for axes in sides_page.draw_hardware(faults).axes:
        assert axes.lines[0].get_ydata().tolist() == [91, 91]


def test_score_table_shows_the_papers_value_beside_the_distilled_rows_alone() -> None:
    table = page.summary(scores())
    text, others = (
        show_table(table[table["data"] == data], page.SCORES, data) for data in ("mnist", "fashion")
    )
    assert text.count("95.98 %") == text.count("96.77 %") == 1
    assert "96.77 %" not in others
    assert text.count("<tr") == 1 + 3 * 6


def test_certificates_show_the_worst_gradient() -> None:
    table = scores()
    table.loc[0, ["gradient", "chosen"]] = [9e-7, True]
    text = show_table(sides_page.certificates(table), sides_page.CERTIFICATES, "certificates")
    assert "9.0e-07" in text
    assert LABELS["naive"] not in text


def test_condition_numbers_are_written_in_full() -> None:
    row = {"data": "mnist", "degree": 2, "components": 10, "common": 12345.6, "standardised": 78.9}
    assert "12,346" in show_table(pd.DataFrame([row]), sides_page.CONDITION, "condition")


def test_paired_differences_use_shared_seeds_only() -> None:
    rows = [
        {"data": "mnist", "degree": 2, "method": method, "components": 10, "seed": seed, "accuracy": value}
        for method, values in {"kd": (95.0, 96.0, 97.0), "ce": (94.0, 95.5)}.items()
        for seed, value in enumerate(values)
    ]
    (row,) = sizes.teacher_share(pd.DataFrame(rows)).itertuples()
    assert (row.seeds, row.functions) == (2, 66)
    assert row.mean == pytest.approx(0.75)
    assert row.smallest == pytest.approx(0.5)


def run_of(**changes: object) -> Run:
    """Return a run whose records hold made-up numbers: a ResNet-18 has 99 %, all else 90 and its seed."""
    small = {"digits": "mnist-5k", "quadratic": [8, 10], "cubic": [4], "grid_seeds": 2, "seeds": [0, 1, 2]}
    parameters = KoopmanParameters(tier="smoke", **small, **changes)
    cells = with_needs(plan.plan(parameters, {name: Data(name, "0" * 64) for name in parameters.datasets}))
    provenance = {"seconds": 1.0}
    records = {cell.name: Record(cell.name, cell.name, _values(cell), {}, provenance) for cell in cells}
    return Run("04_koopman_vs_least_squares", parameters, records, {}, tier_layout("smoke"), {}, tuple(cells))


def _values(cell: Cell) -> dict:
    accuracy = 90.0 + cell.arguments["seed"]
    if cell.work == least_squares.path:
        fits = [
            {**fit, "accuracy": accuracy - number, "validation": number}
            for number, fit in enumerate(cell.arguments["fits"])
        ]
        return {"fits": fits, "conditions": []}
    residual_teacher = cell.work == teacher.path and cell.labels["network"] == residual.NETWORK
    proof = {"functions": 1, "gradient": 0.0, "gap": 0.0, "steps": 1, "passes": 1.0}
    values = {"accuracy": 99.0 if residual_teacher else accuracy, "validation": 0.0, "converged": True}
    return values | (proof if "objective" in cell.arguments else {})


def test_metrics_have_a_value_per_seed_at_the_chosen_size_and_none_of_side_studies() -> None:
    metrics = page.metrics(run_of())
    distilled = metrics["koopman.mnist.q2.kd.accuracy"]
    assert (distilled.seeds, distilled.values) == ([0, 1, 2], [90.0, 91.0, 92.0])
    assert distilled.data == ["mnist-5k"]
    assert metrics["koopman.mnist.q2.kd.accuracy_std"].values == [1.0]
    assert metrics["koopman.fashion.q3.ce.accuracy"].seeds == [0, 1]
    assert metrics["koopman.fashion.q1.pixels.accuracy"].data == ["fashion-mnist"]
    assert metrics["koopman.fashion.teacher.accuracy"].values == [90.0, 91.0, 92.0]
    assert not [name for name in metrics if "rbf" in name or residual.NETWORK in name]


def test_every_method_has_one_chosen_size_and_digits_come_first() -> None:
    table = page.scores(run_of(resnet_seeds=1))
    assert list(dict.fromkeys(zip(table["data"], table["degree"], strict=True))) == [
        (data, degree) for data in page.TITLES for degree in (2, 3, 1)
    ]
    chosen = table[table["chosen"]].groupby(["data", "degree", "method"])["components"].nunique()
    assert (chosen == 1).all()
    assert not table.duplicated(["data", "degree", "method", "components", "seed"]).any()
    assert table["label"].notna().all()


def test_a_residual_teacher_is_compared_where_a_run_has_one() -> None:
    run = run_of(resnet_seeds=2)
    metrics = page.metrics(run)
    assert metrics["koopman.mnist.resnet18.q2_kd.accuracy"].values == [90.0, 91.0]
    best = metrics["koopman.mnist.resnet18.q2_naive_pca.accuracy"]
    assert best.values == [90.0 - 27, 91.0 - 27]  # the last of 28 fits is best on validation images
    assert "q2_teacher" not in " ".join(metrics)


def test_edmd_which_is_solved_in_closed_form_counts_as_converged_in_its_protocol() -> None:
    registered = load_claims().protocols["koopman resnet18"]
    arms = residual.arms(registered.parameters, 0, "0" * 64)
    record = Record("0" * 64, "fits", {"fits": []}, {}, {})  # of least squares, which has no course to judge
    assert arms["koopman.mnist.resnet18.q2_naive_pca.accuracy"].converged(record) is True
    assert arms["koopman.mnist.resnet18.q2_kd.accuracy"].converged(record) is None


def test_recorded_accuracies_with_a_residual_teacher_are_listed(monkeypatch) -> None:
    monkeypatch.setattr(residual, "recorded_metrics", lambda _: {})
    assert residual.recorded_scores().empty
    recorded = page.metrics(run_of(resnet_seeds=2))
    monkeypatch.setattr(residual, "recorded_metrics", {"04_resnet18": recorded}.get)
    listed = residual.recorded_scores().set_index("label")
    assert listed["mean"].to_dict() == {"distilled, degree 2": 90.5, "EDMD with PCA": 90.5 - 27}
    assert listed["seeds"].to_list() == [2, 2]
