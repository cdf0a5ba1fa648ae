"""Intervals and tests against independent computations; simulated coverage; the model of a rerun."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ntkd_lib.lab.rules import decide, estimate, missed, tolerance_needed
from ntkd_lib.lab.statistics import (
    bootstrap_interval,
    coverage,
    draw_reruns,
    fieller_interval,
    holm,
    interval_ends,
    ordering_p,
    simultaneous_intervals,
    student_interval,
)
from ntkd_lib.lab.verdicts import judge
from tests.lab.judging import ORDER, RATIO, claim, metric, run

VALUES = [74.1, 74.6, 73.9, 74.4, 74.9]
numbers = st.floats(-100, 100).map(lambda value: round(value, 3))


def test_the_interval_is_that_of_scipy():
    expected = stats.ttest_1samp(VALUES, 0).confidence_interval(0.95)
    np.testing.assert_allclose(student_interval(VALUES), expected, rtol=1e-12)


def test_a_single_seed_has_no_interval():
    assert student_interval([3.0]) is None
    assert np.isnan(interval_ends([3.0])).all()
    assert fieller_interval([3.0], [1.0]) is None
    assert ordering_p([3.0]) is None


def test_simultaneous_intervals_lie_between_students_and_bonferronis():
    values = np.random.default_rng(3).normal(size=(4, 8))
    single, twice = np.array(simultaneous_intervals(values[:1])), simultaneous_intervals(values[[0, 0]])
    np.testing.assert_allclose(single[0], student_interval(list(values[0])), atol=0.02)
    np.testing.assert_array_equal(twice, [single[0]] * 2)
    reach = np.diff(simultaneous_intervals(values)).ravel() / 2 / stats.sem(values, axis=1)
    assert np.allclose(reach, reach[0])
    assert stats.t.ppf(0.98, 7) < reach[0] < stats.t.ppf(1 - 0.025 / 4, 7) * 1.01


@pytest.mark.parametrize("seeds, bootstrap", [(3, 75), (5, 83), (8, 88.5), (10, 90)])
def test_intervals_cover_as_often_as_the_pages_say(seeds, bootstrap):
    assert 93 <= coverage(seeds, "student") <= 97
    assert coverage(seeds, "bootstrap") == pytest.approx(bootstrap, abs=2)


def test_the_simulation_of_coverage_agrees_with_single_intervals():
    samples = np.random.default_rng(7).normal(size=(800, 5))
    for interval, kind in ((student_interval, "student"), (bootstrap_interval, "bootstrap")):
        ends = np.array([interval(list(row)) for row in samples])
        inside = 100 * np.mean((ends[:, 0] <= 0) & (ends[:, 1] >= 0))
        assert inside == pytest.approx(coverage(5, kind), abs=4)  # three standard errors


def test_fieller_solves_its_equation():
    above, below = np.array([3.1, 5.2, 4.0, 6.3, 5.1]), np.array([1.0, 2.1, 1.3, 2.4, 1.9])
    for ratio in fieller_interval(list(above), list(below)):
        rest = above - ratio * below
        assert abs(rest.mean()) == pytest.approx(stats.t.ppf(0.975, 4) * stats.sem(rest), rel=1e-9)


def test_fieller_with_a_fixed_denominator_is_students_interval():
    low, high = student_interval(VALUES)
    np.testing.assert_allclose(fieller_interval(VALUES, [2.0] * 5), (low / 2, high / 2), rtol=1e-12)


def test_a_ratio_whose_denominator_may_vanish_has_no_interval():
    assert fieller_interval([4.0] * 5, [3.0, -1.0, 1.0, 1.0, 1.0]) is None


def test_the_p_value_is_that_of_scipy():
    expected = stats.ttest_1samp(VALUES, 74.0, alternative="greater").pvalue
    assert ordering_p(VALUES, 74.0) == pytest.approx(expected, rel=1e-12)
    assert (ordering_p([1.0, 1.0]), ordering_p([1.0, 1.0], 1.0)) == (0.0, 1.0)


def test_holm_on_a_worked_example():
    adjusted = holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005})
    assert adjusted == pytest.approx({"d": 0.02, "a": 0.03, "c": 0.06, "b": 0.06})
    assert holm({"a": 0.6, "b": 0.9}) == {"a": 1.0, "b": 1.0}
    assert holm({}) == {}


@given(st.dictionaries(st.text(min_size=1, max_size=3), st.floats(0, 1), max_size=8))
def test_holm_lies_between_the_plain_p_and_bonferroni(p_values):
    for name, adjusted in holm(p_values).items():
        assert p_values[name] <= adjusted <= min(1, len(p_values) * p_values[name]) + 1e-12


def test_a_rerun_of_one_metric_is_t_distributed_around_the_record():
    draws = draw_reruns(np.array([VALUES]), 4000)[:, 0]
    scale = np.std(VALUES, ddof=1)
    first = (draws[:, 0] - np.mean(VALUES)) / (scale * np.sqrt(1 + 1 / 5))
    means = (draws.mean(axis=1) - np.mean(VALUES)) / (scale * np.sqrt(2 / 5))
    assert stats.kstest(first, stats.t(4).cdf).pvalue > 0.01
    assert stats.kstest(means, stats.t(4).cdf).pvalue > 0.01


def test_the_metrics_of_a_rerun_keep_their_correlation():
    generator = np.random.default_rng(1)
    first = generator.normal(size=12)
    pair = np.array([first, 2 * first + 0.1 * generator.normal(size=12)])
    draws = draw_reruns(pair, 2000)
    differences = draws[:, 1] - 2 * draws[:, 0]
    assert differences.std() == pytest.approx((pair[1] - 2 * pair[0]).std(ddof=1), rel=0.25)


def test_numbers_without_spread_stay_as_they_are():
    assert (draw_reruns(np.full((1, 5), 3.0), 10) == 3.0).all()


@given(st.lists(numbers, min_size=5, max_size=10))
def test_a_rule_applied_to_the_numbers_is_the_verdict(values):
    seen = {"ntkd.a": metric(*values), "ntkd.b": metric(*[1.0] * len(values))}
    least = claim({"kind": "at_least", "threshold": 10}, value=20.0, spread=1.0)
    assert decide(least, estimate(least, values, seeds=len(values))) == judge(least, [run(seen)]).status
    for rule, single in ((ORDER, [value - 1 for value in values]), (RATIO, values)):
        judged = claim(rule, ["ntkd.a", "ntkd.b"], value=3.0)
        verdict = judge(judged, [run(seen)])
        numbers = estimate(judged, single, verdict.below, seeds=len(values))
        assert decide(judged, numbers) == verdict.status
        np.testing.assert_allclose(verdict.single, single, atol=1e-9)


@given(st.lists(numbers, min_size=5, max_size=10), st.floats(-5, 5).map(lambda value: round(value, 3)))
def test_a_rule_loosened_by_the_tolerance_needed_just_holds(values, level):
    for rule in ({"kind": "at_least", "threshold": level}, {"kind": "at_most", "threshold": level}):
        judged = claim(rule)
        single = estimate(judged, values, seeds=len(values))
        assert (tolerance_needed(judged, single) <= 0) == (missed(judged, single) == "")
    band = claim({"kind": "within", "low": level, "high": level + 1})
    needed = tolerance_needed(band, estimate(band, values, seeds=len(values)))
    assert (needed <= 0) == (level <= np.mean(values) <= level + 1) or abs(needed) < 1e-9
    needed = tolerance_needed(claim(ORDER, ["ntkd.a", "ntkd.b"]), estimate(band, values, seeds=len(values)))
    for slack in (-0.01, 0.01):
        order = claim({**ORDER, "margin": -needed - slack}, ["ntkd.a", "ntkd.b"])
        assert (missed(order, estimate(order, values, seeds=len(values))) == "") == (slack > 0)


@given(st.lists(numbers, min_size=1, max_size=10), st.sampled_from([-1, 1]), numbers)
def test_a_bound_is_compared_with_the_whole_interval(values, sign, bound):
    single = estimate(claim(ORDER, ["ntkd.a", "ntkd.b"]), values, seeds=len(values))
    low, high = bootstrap_interval(values)
    assert single.is_above(bound, sign) == (low > bound if sign > 0 else high < bound)


@given(st.lists(numbers, min_size=2, max_size=10), numbers)
def test_an_ordering_holds_when_nothing_is_missed(values, margin):
    order = claim({**ORDER, "margin": margin}, ["ntkd.a", "ntkd.b"])
    single = estimate(order, values, seeds=len(values))
    assert (decide(order, single) == "reproduced") == (missed(order, single) == "")
