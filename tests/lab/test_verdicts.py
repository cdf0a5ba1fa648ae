import dataclasses

import numpy as np
import pytest

from ntkd_lib.lab.claims import load_claims
from ntkd_lib.lab.evidence import DataState, Metric, Point
from ntkd_lib.lab.statistics import fieller_interval, student_interval
from ntkd_lib.lab.verdicts import Source, all_verdicts, judge, recorded_verdicts, verdicts_on
from tests.lab.judging import ORDER, RATIO, book_of, claim, entry, metric, run

AT_LEAST = {"kind": "at_least", "threshold": 96.7}
AT_MOST = {"kind": "at_most", "threshold": 5}
WITHIN = {"kind": "within", "low": 89.8, "high": 93.0}
SLOPE = {"kind": "slope_within", "low": -1.25, "high": -0.75}
PAIR = ["ntkd.a", "ntkd.b"]


def status(claim, **metrics):
    """Judge by metrics `a`, `b`, ... of one standard run."""
    return judge(claim, [run({f"ntkd.{name}": recorded for name, recorded in metrics.items()})]).status


# --- the rules, with answers known beforehand ---------------------------------------------------------------


@pytest.mark.parametrize(
    "values, expected",
    [
        ([96.7] * 5, "reproduced"),
        ([96.6, 96.8, 96.6, 96.8, 96.7], "reproduced"),
        ([96.69] * 5, "not reproduced"),
        ([97.9] * 5, "reproduced"),  # value + spread is not beaten
        ([97.95] * 5, "exceeded"),
        ([97.0, 99.0, 97.0, 99.0, 98.5], "reproduced"),  # beaten by the mean, not beyond the noise
    ],
)
def test_at_least(values, expected):
    assert status(claim(AT_LEAST, value=97.3, spread=0.6), a=metric(*values)) == expected


def test_at_least_says_what_was_needed():
    verdict = judge(claim(AT_LEAST, value=97.3), [run({"ntkd.a": metric(95, 96, 95, 96, 95)})])
    assert (verdict.status, verdict.reason, verdict.side) == ("not reproduced", "needed at least 96.7", "")
    assert verdict.value == pytest.approx(95.4)
    assert verdict.seeds == 5


@pytest.mark.parametrize(
    "values, expected",
    [
        ([5.0] * 5, "reproduced"),
        ([5.01] * 5, "not reproduced"),
        ([3.5] * 5, "reproduced"),
        ([3.49] * 5, "exceeded"),
    ],
)
def test_at_most(values, expected):
    verdict = judge(claim(AT_MOST, value=4.0, spread=0.5), [run({"ntkd.a": metric(*values)})])
    assert verdict.status == expected
    assert verdict.reason == ("needed at most 5" if expected == "not reproduced" else "")


@pytest.mark.parametrize(
    "value, expected, side",
    [
        (89.8, "reproduced", ""),
        (93.0, "reproduced", ""),
        (91.4, "reproduced", ""),
        (89.79, "not reproduced", "below"),
        (98.9, "not reproduced", "above"),
    ],
)
def test_within_never_exceeds_and_prints_the_side(value, expected, side):
    verdict = judge(claim(WITHIN, value=91.4, spread=0.8), [run({"ntkd.a": metric(*[value] * 5)})])
    assert (verdict.status, verdict.side) == (expected, side)
    assert verdict.reason == ("needed 89.8 to 93" if side else "")


@pytest.mark.parametrize(
    "differences, expected",
    [
        ([1.0, 1.1, 0.9, 1.2, 1.0], "reproduced"),
        ([1.5, 1.6, 1.5, 1.7, 1.6], "exceeded"),  # the lower end is above 1.4, the paper's gap
        ([1.5, 1.6, 1.5, 1.7, 0.1], "reproduced"),
        ([1.0, 1.1, 0.9, 1.2, -0.01], "not reproduced"),  # the bootstrap alone would do; one seed fails
        ([-1.0, -1.1, -0.9, -1.2, -1.0], "not reproduced"),
        ([0.0] * 5, "not reproduced"),  # above the margin, not at it
        ([0.0] * 8, "not reproduced"),
        ([1.0] * 7 + [-0.1], "reproduced"),  # with eight seeds the bootstrap alone decides
        ([1.0] * 6 + [-0.1], "not reproduced"),  # with seven it does not
    ],
)
def test_ordering(differences, expected):
    above = metric(*[50 + d for d in differences])
    assert status(claim(ORDER, PAIR, value=1.4), a=above, b=metric(*[50.0] * len(differences))) == expected


def test_ordering_pairs_seeds_and_heeds_the_margin():
    wide = [10.0, 20.0, 30.0, 40.0, 50.0]  # far apart between seeds, one point apart within each
    a = metric(*[v + 1 for v in reversed(wide)], seeds=[4, 3, 2, 1, 0])
    verdict = judge(claim(ORDER, PAIR), [run({"ntkd.a": a, "ntkd.b": metric(*wide)})])
    assert (verdict.status, verdict.value, verdict.interval) == ("reproduced", 1.0, (1.0, 1.0))
    assert status(claim({**ORDER, "margin": -0.1}, PAIR), a=metric(*wide), b=metric(*wide)) == "reproduced"
    assert status(claim({**ORDER, "margin": 1.5}, PAIR), a=a, b=metric(*wide)) == "not reproduced"


def test_numbers_of_numpy_are_numbers():
    a = Metric(seeds=list(range(5)), values=list(np.full(5, 2.4)), converged=[True] * 5)
    verdict = judge(claim(ORDER, PAIR, value=1.4), [run({"ntkd.a": a, "ntkd.b": metric(*[1.0] * 5)})])
    assert (verdict.status, verdict.value) == ("reproduced", 1.4)


def test_ordering_says_why_it_fails():
    b = metric(*[0.0] * 5)
    one = judge(claim(ORDER, PAIR), [run({"ntkd.a": metric(1, 1.1, 0.9, 1.2, -0.01), "ntkd.b": b})])
    assert one.reason == "needed every difference above 0, not so for 1 of 5 seeds"
    none = judge(claim(ORDER, PAIR), [run({"ntkd.a": metric(-1, 1, -1, 1, 0), "ntkd.b": b})])
    assert none.reason == "needed a difference surely above 0"


def test_ordering_ignores_seeds_that_only_one_method_has():
    a, b = metric(1, 1, 1, 1, 1, -99, seeds=[0, 1, 2, 3, 4, 9]), metric(*[0.0] * 5)
    verdict = judge(claim(ORDER, PAIR), [run({"ntkd.a": a, "ntkd.b": b})])
    assert (verdict.status, verdict.seeds, verdict.value) == ("reproduced", 5, 1.0)


@pytest.mark.parametrize(
    "numerators, expected",
    [
        ([20.0] * 5, "reproduced"),
        ([19.99] * 5, "not reproduced"),
        ([31.0, 31.0, 31.0, 31.0, 31.0], "exceeded"),
        ([25.0, 40.0, 25.0, 40.0, 26.0], "reproduced"),  # 3.1 on average, the lower end is below 3
    ],
)
def test_ratio_at_least(numerators, expected):
    assert status(claim(RATIO, PAIR, value=3.0), a=metric(*numerators), b=metric(*[10.0] * 5)) == expected


def test_ratio_is_that_of_the_means():
    a, b = metric(1, 2, 3, 4, 10), metric(1, 1, 1, 1, 4)
    verdict = judge(claim(RATIO, PAIR), [run({"ntkd.a": a, "ntkd.b": b})])
    assert verdict.value == pytest.approx(20 / 8)
    assert verdict.reason == ""


def line(slope, offset=0.0):
    return [Point(x=x, y=slope * x + offset) for x in (0.9, 1.2, 1.5, 3.3)]


@pytest.mark.parametrize(
    "slopes, expected, side",
    [
        ([-1.0] * 5, "reproduced", ""),
        ([-1.5, -0.5, -1.5, -0.5, -1.0], "reproduced", ""),  # the mean decides
        ([-0.5] * 5, "not reproduced", "above"),
        ([-1.3] * 5, "not reproduced", "below"),
    ],
)
def test_slope_within(slopes, expected, side):
    series = [line(slope, seed) for seed, slope in enumerate(slopes)]
    recorded = Metric(seeds=list(range(5)), series=series, converged=[True] * 5)
    verdict = judge(claim(SLOPE, "ntkd.line", value=-1.0), [run({"ntkd.line": recorded})])
    assert (verdict.status, verdict.side) == (expected, side)
    assert verdict.value == pytest.approx(np.mean(slopes))


def test_slope_is_that_of_least_squares():
    x, y = [0.0, 1.0, 2.0, 5.0], [1.0, -1.0, 0.5, 3.0]
    series = [[Point(x=a, y=b) for a, b in zip(x, y, strict=True)]]
    verdict = judge(
        claim(SLOPE, "ntkd.line", seeds=1), [run({"ntkd.line": Metric(seeds=[0], series=series)})]
    )
    assert verdict.value == pytest.approx(np.polyfit(x, y, 1)[0], rel=1e-12)


# --- one number, and numbers that no chance enters ----------------------------------------------------------


def test_one_number_for_all_seeds_is_reproduced_at_best():
    rule = {"kind": "at_most", "threshold": 0.1}
    recorded = metric(0.001, seeds=list(range(10)))
    verdict = judge(claim(rule, "ntkd.all", value=0.07, seeds=10), [run({"ntkd.all": recorded})])
    assert (verdict.status, verdict.interval, verdict.seeds) == ("reproduced", None, 10)


def test_a_ratio_of_two_such_numbers_has_no_interval():
    rule = {"kind": "ratio_at_least", "numerator": "ntkd.all", "denominator": "ntkd.all_b", "threshold": 1.78}
    ten = list(range(10))
    recorded = {"ntkd.all": metric(0.9, seeds=ten), "ntkd.all_b": metric(0.1, seeds=ten)}
    verdict = judge(claim(rule, ["ntkd.all", "ntkd.all_b"], value=2, seeds=10), [run(recorded)])
    assert (verdict.status, verdict.interval) == ("reproduced", None)
    assert verdict.value == pytest.approx(9.0)


def test_a_deterministic_number_is_its_own_interval():
    verdict = judge(claim(AT_LEAST, value=97.3, seeds=1), [run({"ntkd.a": metric(97.31)})])
    assert (verdict.status, verdict.interval) == ("exceeded", (97.31, 97.31))
    assert status(claim(AT_LEAST, value=97.3, seeds=1), a=metric(97.3)) == "reproduced"
    ratio = judge(claim(RATIO, PAIR, value=2, seeds=1), [run({"ntkd.a": metric(21), "ntkd.b": metric(10)})])
    assert (ratio.status, ratio.interval) == ("exceeded", (2.1, 2.1))


def test_exceeding_needs_a_value():
    assert status(claim(AT_LEAST), a=metric(*[99.9] * 5)) == "reproduced"
    assert status(claim(ORDER, PAIR), a=metric(*[9.0] * 5), b=metric(*[1.0] * 5)) == "reproduced"


# --- no verdict ---------------------------------------------------------------------------------------------

GOOD = metric(*[97.0] * 5, data=["mnist"])
STANDIN = {"mnist": DataState(kind="standin", sha256="1" * 64, source="package")}
UNFINISHED = [True, False, True, True, False]


@pytest.mark.parametrize(
    "evidences, reason",
    [
        ([], "not run"),
        ([run({"ntkd.a": GOOD}, notebook="02_other")], "not run"),
        ([run({"ntkd.b": GOOD})], "not run (ntkd.a is not recorded)"),
        ([run({"ntkd.a": GOOD}, tier="smoke")], "needs tier cpu, ran smoke"),
        ([run({"ntkd.a": GOOD}, data=STANDIN)], "stand-in data (mnist)"),
        ([run({"ntkd.a": metric(97, 97, 97)})], "needs 5 seeds, has 3"),
        (
            [run({"ntkd.a": metric(*[97.0] * 5, converged=UNFINISHED)})],
            "training not converged (seeds 1, 4)",
        ),
        (
            [run({"ntkd.a": GOOD}, changed={"lr": [1, 2], "epochs": [3, 4]})],
            "parameters differ from the tier's (epochs, lr)",
        ),
        ([run({"ntkd.a": metric(97, seeds=[0, 1, 2, 3, 4])})], "ntkd.a: recorded as one number for 5 seeds"),
        (
            [run({"ntkd.a": Metric(seeds=[0, 1, 2, 3, 4], series=[line(1)] * 5)})],
            "ntkd.a: recorded as a series",
        ),
    ],
)
def test_no_verdict_and_its_reason(evidences, reason):
    verdict = judge(claim(AT_LEAST, value=97.3), evidences)
    assert (verdict.status, verdict.reason) == ("not assessed", reason)
    assert (verdict.source is None) == reason.startswith("not run"), "no run left what there is not"


def test_no_verdict_on_what_cannot_be_checked_here():
    impossible = claim(AT_LEAST, assessable="not", why="The data are not published.")
    verdict = judge(impossible, [run({"ntkd.a": GOOD})])
    assert verdict.reason == "cannot be checked here: The data are not published."
    assert (verdict.status, verdict.value) == ("not assessed", 97.0)
    assert judge(impossible, []).reason == verdict.reason


def test_no_verdict_on_misshapen_pairs():
    five = metric(*[1.0] * 5)
    zero = judge(claim(RATIO, PAIR), [run({"ntkd.a": five, "ntkd.b": metric(*[0.0] * 5)})])
    assert (zero.reason, zero.value) == ("ntkd.b is 0", None)
    other = judge(
        claim(ORDER, PAIR), [run({"ntkd.a": five, "ntkd.b": metric(*[0.0] * 5, seeds=[3, 4, 5, 6, 7])})]
    )
    assert (other.reason, other.value) == ("needs 5 seeds in common, has 2", 1.0)
    apart = judge(claim(ORDER, PAIR), [run({"ntkd.a": metric(1, seeds=[0]), "ntkd.b": metric(1, seeds=[1])})])
    assert (apart.reason, apart.value) == ("needs 5 seeds in common, has 0", None)
    slope = judge(claim(SLOPE, "ntkd.line"), [run({"ntkd.line": five})])
    assert slope.reason == "ntkd.line: recorded without its series"
    pooled = judge(claim(AT_MOST, "ntkd.all"), [run({"ntkd.all": five})])
    assert pooled.reason == "ntkd.all: one number for all seeds, recorded seed by seed"


@pytest.mark.parametrize("fields", [{}, {"tier": "paper"}, {"tier": "paper", "recorded": True}])
def test_convergence_counts_on_every_tier_and_in_recorded_runs(fields):
    unfinished = {"ntkd.a": metric(*[97.0] * 5, converged=UNFINISHED)}
    assert judge(claim(AT_LEAST), [run(unfinished, **fields)]).reason == "training not converged (seeds 1, 4)"
    silent = {"ntkd.a": metric(*[97.0] * 5, converged=None)}
    reason = "training not shown to have converged (ntkd.a)"
    assert judge(claim(AT_LEAST), [run(silent, **fields)]).reason == reason
    finished = {"ntkd.a": metric(*[97.0] * 5, converged=[True] * 5)}
    assert judge(claim(AT_LEAST), [run(finished, **fields)]).status == "reproduced"


def test_either_metric_of_a_pair_can_stand_in_the_way():
    pair = {"ntkd.a": metric(*[2.0] * 5), "ntkd.b": metric(*[1.0] * 5, data=["mnist"])}
    assert judge(claim(ORDER, PAIR), [run(pair, data=STANDIN)]).reason == "stand-in data (mnist)"
    unfinished = {**pair, "ntkd.b": metric(*[1.0] * 5, converged=UNFINISHED)}
    assert judge(claim(ORDER, PAIR), [run(unfinished)]).reason == "training not converged (seeds 1, 4)"


def test_a_number_without_a_verdict_is_still_shown():
    verdict = judge(claim(AT_LEAST), [run({"ntkd.a": GOOD}, tier="smoke")])
    assert (verdict.value, verdict.interval, verdict.seeds) == (97.0, (97.0, 97.0), 5)
    assert verdict.source == Source(recorded=False, tier="smoke", device="two cores", date="2026-01-02")


@pytest.mark.parametrize("assessable, word", [("full", ""), ("simulated", "simulated"), ("proxy", "proxy")])
def test_the_qualifier_is_always_given(assessable, word):
    why = {} if assessable == "full" else {"why": "Because."}
    judged = claim(AT_LEAST, assessable=assessable, **why)
    assert judge(judged, [run({"ntkd.a": GOOD})]).qualifier == word
    assert judge(judged, []).qualifier == word


@pytest.mark.parametrize(
    "rule, fields, value, outcome",
    [
        (WITHIN, {"value": 91.4}, 91.4, "reproduced"),
        (WITHIN, {"value": 91.4}, 93.1, "baseline stronger"),
        (WITHIN, {"value": 91.4}, 89.7, "baseline weaker"),
        (WITHIN, {"value": 91.4, "unit": "points"}, 93.1, "claim failed"),
        (WITHIN, {}, 89.7, "claim failed"),
        (AT_LEAST, {"value": 97.3}, 90.0, "claim failed"),
        (AT_LEAST, {"value": 97.3}, 99.0, "exceeded"),
    ],
)
def test_what_failed_is_the_claim_or_a_baseline(rule, fields, value, outcome):
    verdict = judge(claim(rule, **{"unit": "percent", **fields}), [run({"ntkd.a": metric(*[value] * 5)})])
    assert verdict.outcome == outcome
    assert verdict.settled


def test_without_a_verdict_nothing_is_settled():
    verdict = judge(claim(AT_LEAST), [])
    assert (verdict.outcome, verdict.settled) == ("not assessed", False)
    assert not dataclasses.replace(verdict, status="undecided").settled


def test_pages_print_students_interval_and_fiellers_of_a_ratio():
    a, b = metric(21, 22, 23, 22, 21), metric(10, 10.5, 10, 11, 10)
    mean = judge(claim(AT_MOST), [run({"ntkd.a": a})])
    assert mean.printed_interval == student_interval([21.0, 22.0, 23.0, 22.0, 21.0])
    ratio = judge(claim(RATIO, PAIR), [run({"ntkd.a": a, "ntkd.b": b})])
    assert ratio.printed_interval == fieller_interval(
        [21.0, 22.0, 23.0, 22.0, 21.0], [10.0, 10.5, 10.0, 11.0, 10.0]
    )
    one = judge(claim(AT_MOST, "ntkd.all"), [run({"ntkd.all": metric(3.0, seeds=[0, 1, 2, 3, 4])})])
    assert (one.status, one.printed_interval) == ("reproduced", None)


def test_a_claim_without_readable_numbers_keeps_its_source_and_qualifier():
    pair = {"ntkd.a": metric(*[1.0] * 5), "ntkd.b": metric(*[0.0] * 5)}
    verdict = judge(claim(RATIO, PAIR, assessable="proxy", why="Because."), [run(pair)])
    assert (verdict.status, verdict.value, verdict.qualifier) == ("not assessed", None, "proxy")
    assert verdict.source == Source(recorded=False, tier="cpu", device="two cores", date="2026-01-02")


@pytest.mark.parametrize(
    "source, words",
    [
        (Source(False, "cpu", "Intel Xeon", "2026-01-02"), "live, tier cpu"),
        (Source(True, "paper", "Intel Xeon", "2026-01-02"), "recorded on 2026-01-02, Intel Xeon, tier paper"),
        (Source(True, "paper", "", ""), "recorded on an unknown day, tier paper"),
    ],
)
def test_a_source_is_named(source, words):
    assert str(source) == words


def test_every_claim_of_the_contract_has_its_verdict():
    claims = [each.id for each in load_claims().claims]
    assert [verdict.claim.id for verdict in verdicts_on([])] == claims
    assert {verdict.reason for verdict in verdicts_on([]) if verdict.claim.assessable != "not"} == {"not run"}
    assert [verdict.claim.id for verdict in all_verdicts("smoke")] == claims
    recorded = {verdict.claim.id: verdict for verdict in recorded_verdicts()}
    assert [*recorded] == claims
    assert all(verdict.source.recorded for verdict in recorded.values() if verdict.source)


# --- several runs -------------------------------------------------------------------------------------------


def test_live_evidence_goes_before_recorded_evidence():
    live = run({"ntkd.a": metric(*[90.0] * 5)})
    recorded = run({"ntkd.a": metric(*[99.0] * 5)}, tier="paper", recorded=True)
    verdict = judge(claim(AT_LEAST), [recorded, live])
    assert (verdict.status, verdict.source.recorded) == ("not reproduced", False)


def test_recorded_evidence_serves_where_the_live_run_cannot():
    live = run({"ntkd.a": GOOD})
    recorded = run({"ntkd.a": GOOD}, tier="paper", recorded=True)
    verdict = judge(claim(AT_LEAST, tier="paper"), [live, recorded])
    assert (verdict.status, verdict.source.recorded, verdict.source.tier) == ("reproduced", True, "paper")


def recorded_run(value, tier, time, *others):
    provenance = {"device": "H100", "time": f"2026-01-{time}+00:00"}
    metrics = {name: metric(*[value] * 5) for name in ("ntkd.a", *others)}
    return run(metrics, tier=tier, recorded=True, provenance=provenance)


def test_of_two_recorded_runs_the_larger_tier_then_the_later_one_is_used():
    smaller = recorded_run(97.0, "cpu", "09T00:00:00")
    runs = [recorded_run(98.0, "paper", "03T04:00:00"), recorded_run(99.0, "paper", "03T05:00:00"), smaller]
    for order in (runs, runs[::-1]):
        verdict = judge(claim(AT_LEAST), order)
        assert (verdict.value, verdict.source.date, verdict.source.device) == (99.0, "2026-01-03", "H100")


def test_a_run_with_more_metrics_is_used_before_a_later_one():
    runs = [recorded_run(98.0, "paper", "02T00:00:00", "ntkd.b"), recorded_run(99.0, "paper", "03T00:00:00")]
    assert judge(claim(AT_LEAST), runs).value == 98.0


def test_the_reason_is_that_of_the_run_that_came_closest():
    live = run({"ntkd.a": GOOD}, tier="cpu")
    recorded = run({"ntkd.a": metric(97, 98)}, tier="paper", recorded=True)
    assert judge(claim(AT_LEAST, tier="paper"), [live, recorded]).reason == "needs 5 seeds, has 2"


@pytest.mark.parametrize(
    "live, reason",
    [
        (run({"ntkd.a": GOOD}, data=STANDIN), "stand-in data (mnist)"),
        (run({"ntkd.b": GOOD}, data=STANDIN), "not run (ntkd.a is not recorded)"),
    ],
)
def test_a_run_that_measured_something_else_comes_no_closer(live, reason):
    recorded = run({"ntkd.b": metric(*[97.0] * 5)}, tier="paper", recorded=True)
    assert judge(claim(AT_LEAST), [live, recorded]).reason == reason


def test_unknown_provenance_is_left_empty():
    verdict = judge(claim(AT_LEAST), [run({"ntkd.a": GOOD}, provenance={})])
    assert verdict.source == Source(recorded=False, tier="cpu", device="", date="")


def test_a_verdict_knows_its_claim_and_is_frozen():
    judged = book_of(entry(AT_LEAST)).claims[0]
    verdict = judge(judged, [])
    assert verdict.claim is judged
    with pytest.raises(dataclasses.FrozenInstanceError):
        verdict.status = "exceeded"
