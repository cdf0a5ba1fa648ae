"""How firm verdicts are: lines, curves and controls beside the claims."""

import re
from dataclasses import replace

import numpy as np
import pytest

from ntkd_lib.lab.claims import AtLeast, load_claims
from ntkd_lib.lab.robustness import RERUNS, adjusted_orderings, flip_probability, steps_by_seeds
from ntkd_lib.lab.statistics import holm, ordering_p
from ntkd_lib.lab.verdicts import judge
from ntkd_lib.pipeline.numbers import recorded_runs
from ntkd_lib.show import firmness as module
from ntkd_lib.show.controls import CONTROLS
from ntkd_lib.show.firmness import coverage_table, curve_words, firmness, holm_notes, verdict_curve
from ntkd_lib.show.headlines import HEADLINES
from ntkd_lib.show.html import small
from tests.lab.judging import ORDER, RATIO, claim, metric, run

LEAST = {"kind": "at_least", "threshold": 10}
PAIR = ["ntkd.a", "ntkd.b"]


def judged(rule, first, second=(1.0,) * 5, **fields):
    two = PAIR if rule in (ORDER, RATIO) else "ntkd.a"
    evidence = run({"ntkd.a": metric(*first), "ntkd.b": metric(*second)})
    return judge(claim(rule, two, **fields), [evidence])


def test_the_last_step_is_the_verdict_and_its_tolerance():
    verdict = judged(LEAST, [9.0, 12.0, 13.0, 12.0, 14.0])
    steps = steps_by_seeds(verdict)
    assert [step.decision for step in steps] == ["not reproduced", *["reproduced"] * 4]
    assert [step.tolerance for step in steps] == pytest.approx([1.0, -0.5, -4 / 3, -1.5, -2.0])


def test_one_number_for_all_seeds_has_one_step():
    metrics = {"ntkd.all": metric(3.0, seeds=[0, 1, 2, 3, 4])}
    verdict = judge(claim({"kind": "at_most", "threshold": 4}, "ntkd.all"), [run(metrics)])
    assert [(step.seeds, step.tolerance) for step in steps_by_seeds(verdict)] == [(5, -1.0)]
    assert flip_probability(verdict) is None


def test_reruns_flip_what_lies_near_the_threshold():
    far, near = (judged(LEAST, level + np.array([-1.0, -0.5, 0.0, 0.5, 1.0])) for level in (20, 10.01))
    assert flip_probability(far) == 0
    assert flip_probability(near) == pytest.approx(0.5, abs=4 * np.sqrt(0.25 / RERUNS))
    assert flip_probability(judged(RATIO, [20.0, 21.0, 19.0, 20.5, 20.0])) == 0
    assert flip_probability(judge(claim(LEAST), [])) is None


def test_reruns_are_compared_with_what_the_runs_own_numbers_decide():
    exceeding = judged(LEAST, [20.0, 20.5, 19.5, 20.2, 19.8])
    merged = replace(exceeding, status="reproduced")  # as beside a run that reproduces and does not exceed
    assert flip_probability(merged) == flip_probability(exceeding)


def test_an_exact_tie_is_missed():
    tie = judged(ORDER, [1.0, 1.1, 1.2, 1.1, 1.3])
    (*_, last) = steps_by_seeds(tie)
    assert last.decision == "not reproduced"
    assert "the rule is missed by" in curve_words(tie, [last])


def test_holm_runs_over_the_orderings_that_have_a_verdict(monkeypatch):
    first, second = judged(ORDER, [2.0, 3.0, 2.5, 2.2, 2.8]), judged(ORDER, [1.5, 0.0, 2.0, 1.0, 1.1])
    other = judge(claim(ORDER, PAIR, id="ntkd-other"), [])
    plain = {"ntkd-demo": ordering_p(first.single)}
    disputed = replace(second, status="undecided", claim=other.claim)
    assert adjusted_orderings([first, other, disputed, judged(LEAST, [20.0] * 5)]) == holm(plain)
    assert list(holm_notes([first])) == ["ntkd-demo"]
    assert holm_notes([second]) == {}
    monkeypatch.setattr(module, "adjusted_orderings", lambda _: {"ntkd-demo": 0.0123, "ntkd-other": 2e-5})
    holding = replace(first, claim=other.claim)
    notes = {"ntkd-demo": "p = 0.012 (Holm, 2 orderings)", "ntkd-other": "p < 0.0001 (Holm, 2 orderings)"}
    assert holm_notes([first, holding]) == {name: small(text) for name, text in notes.items()}


def test_a_curve_has_a_field_per_seed_and_says_in_words_what_it_shows():
    verdict = judged(LEAST, [9.0, 12.0, 13.0, 12.0, 14.0])
    made = verdict_curve(verdict, steps_by_seeds(verdict))
    assert made.count("<rect ") == 10
    heights = [float(height) for height in re.findall(r'<rect [^>]*height="([^"]+)"', made)]
    assert all(a + b == pytest.approx(72, abs=0.11) for a, b in zip(heights[::2], heights[1::2], strict=True))
    assert heights[0] < 36 < heights[2]  # a looser threshold is needed by one seed, a stricter holds for two
    assert (
        'role="img" aria-label="Verdict against tolerance and number of seeds. With all seeds the rule'
        in made
    )
    assert "First seeds: 1 not reproduced, 2 reproduced" in made


def test_a_line_says_how_often_a_rerun_would_change_the_verdict():
    made = firmness(judged(LEAST, [20.0, 20.5, 19.5, 20.2, 19.8]))
    assert "<summary>a rerun would change the verdict in less than 1 % of cases</summary><svg" in made
    assert firmness(judge(claim(LEAST), [])) == ""


def test_the_coverage_table_holds_both_intervals():
    cells = re.findall(r'data-label="(\d+) seeds">([\d.]+) %', coverage_table())
    student, bootstrap = cells[:4], cells[4:]
    assert [int(seeds) for seeds, _ in student] == [3, 5, 8, 10]
    assert all(93 <= float(share) <= 97 for _, share in student)
    assert [float(share) for _, share in bootstrap] == sorted(float(share) for _, share in bootstrap)
    assert 73 < float(bootstrap[0][1]) < 78


def test_controls_are_measured_where_their_claims_are():
    claims = {claim.id: claim for claim in load_claims().claims}
    runs = recorded_runs().values()
    assert CONTROLS.keys() <= claims.keys()
    for name, control in CONTROLS.items():
        for other in filter(None, (control.metric, control.other)):
            recorded = [run for run in runs if other in run.metrics]
            defined = other in load_claims().metrics
            assert recorded or defined, (name, other)
            assert all(run.notebook == claims[name].notebook for run in recorded)


def test_headlines_stand_and_have_a_control():
    claims = {claim.id: claim for claim in load_claims().claims}
    assert 6 <= len(HEADLINES) <= 8
    assert all(claims[name].replacement is None for name in HEADLINES)
    assert HEADLINES.keys() <= CONTROLS.keys()


def test_every_score_of_a_method_that_can_exceed_the_papers_has_a_control():
    scores = [
        claim.id
        for claim in load_claims().claims
        if isinstance(claim.rule, AtLeast) and claim.unit == "percent" and claim.paper == "ntkd"
    ]
    assert set(scores) - CONTROLS.keys() == {"ntkd-t6-imagenet100", "ntkd-energy-saving"}
