import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntkd_lib.lab.statistics import bootstrap_interval, bootstrap_ratio_interval
from ntkd_lib.lab.verdicts import judge
from tests.lab.judging import ORDER, RATIO, claim, metric, run

PAIR = ["ntkd.a", "ntkd.b"]


def test_the_interval_is_the_plain_percentile_bootstrap():
    values = np.random.default_rng(3).normal(size=10)
    draws = np.random.default_rng(0).integers(0, 10, size=(10_000, 10))
    expected = np.percentile(values[draws].mean(axis=1), [2.5, 97.5])
    np.testing.assert_allclose(bootstrap_interval(list(values)), expected, rtol=1e-12)
    assert bootstrap_interval(list(values)) == bootstrap_interval(list(values))


def test_the_interval_of_a_ratio_resamples_seeds_in_pairs():
    a, b = np.array([3.0, 5.0, 4.0, 6.0, 9.0]), np.array([1.0, 2.0, 1.0, 2.0, 4.0])
    draws = np.random.default_rng(0).integers(0, 5, size=(10_000, 5))
    expected = np.percentile(a[draws].mean(axis=1) / b[draws].mean(axis=1), [2.5, 97.5])
    np.testing.assert_allclose(bootstrap_ratio_interval(list(a), list(b)), expected, rtol=1e-13)


def test_a_ratio_has_no_interval_where_its_denominator_may_vanish():
    a, b = [4.0] * 5, [3.0, -1.0, 1.0, 1.0, 1.0]
    assert bootstrap_ratio_interval(a, b) is None
    verdict = judge(claim(RATIO, PAIR, value=2), [run({"ntkd.a": metric(*a), "ntkd.b": metric(*b)})])
    assert (verdict.status, verdict.value) == ("reproduced", 4.0)


@pytest.mark.parametrize("seeds, alone", [(5, 0.08), (10, 0.05)])
def test_error_rates_of_ordering_are_those_that_the_contract_states(seeds, alone):
    differences = np.random.default_rng(1).normal(size=(1500, seeds))
    lows = np.array([bootstrap_interval(list(row))[0] for row in differences])
    assert np.mean(lows > 0) == pytest.approx(alone, abs=0.02)
    every = (lows > 0) & (differences > 0).all(axis=1)
    assert np.mean(every) < 0.045  # 1/32 for five seeds by the signs alone


def test_the_interval_covers_the_mean_about_as_often_as_it_says():
    samples = np.random.default_rng(2).normal(size=(600, 40))
    ends = np.array([bootstrap_interval(list(row)) for row in samples])
    assert np.mean((ends[:, 0] <= 0) & (ends[:, 1] >= 0)) == pytest.approx(0.94, abs=0.03)


numbers = st.floats(-100, 100).map(lambda value: round(value, 3))


@given(st.lists(numbers, min_size=1, max_size=12))
def test_the_interval_lies_within_the_values(values):
    low, high = bootstrap_interval(values)
    assert min(values) <= low <= high <= max(values)


@given(st.lists(st.tuples(numbers, numbers), min_size=5, max_size=10), st.randoms(use_true_random=False))
def test_the_order_in_which_seeds_were_recorded_does_not_matter(pairs, random):
    seeds = list(range(len(pairs)))
    shuffled = random.sample(seeds, len(seeds))
    runs = [
        run(
            {
                "ntkd.a": metric(*[pairs[seed][0] for seed in order], seeds=order),
                "ntkd.b": metric(*[pairs[seed][1] for seed in seeds], seeds=seeds),
            }
        )
        for order in (seeds, shuffled)
    ]
    first, second = (judge(claim(ORDER, PAIR, value=1.0), [evidence]) for evidence in runs)
    assert first == second


@given(st.lists(numbers, min_size=5, max_size=10), st.floats(0.1, 50))
def test_better_values_never_give_a_worse_verdict(values, gain):
    ranks = ("not reproduced", "reproduced", "exceeded")
    judged = claim({"kind": "at_least", "threshold": 10}, value=20.0, spread=1.0)
    before = judge(judged, [run({"ntkd.a": metric(*values)})]).status
    after = judge(judged, [run({"ntkd.a": metric(*[value + gain for value in values])})]).status
    assert ranks.index(after) >= ranks.index(before)
