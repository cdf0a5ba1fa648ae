"""Two recordings of one protocol leave a claim undecided when they disagree."""

import pytest

from ntkd_lib.lab.evidence import is_rerun
from ntkd_lib.lab.verdicts import judge, recorded_verdicts
from tests.lab.judging import claim, metric, run

SEEDS = [0, 1, 2, 3, 4]
LEAST = {"kind": "at_least", "threshold": 10}


def recording(values, seeds, day, **fields):
    fields = {"recorded": True, "parameters": {"epochs": 3, "seeds": seeds}, **fields}
    made = metric(*values, seeds=seeds, converged=[True] * len(seeds))
    return run({"ntkd.a": made}, provenance={"time": f"2026-01-0{day}T00:00:00+00:00"}, **fields)


@pytest.mark.parametrize(
    "change, same",
    [
        ({"recorded": False}, True),
        ({"parameters": {"epochs": 4}}, False),
        ({"tier": "paper"}, False),
    ],
)
def test_reruns_are_of_one_protocol(change, same):
    first, second = recording([9, 11, 12], [0, 1, 2], 1), recording([13, 14], [3, 4], 2, **change)
    assert is_rerun(first, second) == same


def test_one_run_read_twice_is_no_rerun():
    live, same = (recording([13, 14, 12, 13, 14], SEEDS, 1, recorded=recorded) for recorded in (False, True))
    assert not is_rerun(live, same)
    assert judge(claim(LEAST), [live, same]).reruns == ()


EARLIER = "not reproduced (recorded on 2026-01-01, tier cpu)"
DISPUTE = f"runs disagree: 11.4 percent: reproduced ({{}}); 8.6 percent: {EARLIER}"


@pytest.mark.parametrize("live", [False, True])
def test_runs_that_disagree_leave_a_claim_undecided(live):
    first = recording([9, 8, 9, 8, 9], SEEDS, 1)
    second = recording([11, 12, 11, 12, 11], SEEDS, 2, recorded=not live)
    for order in ([first, second], [second, first]):
        verdict = judge(claim(LEAST, unit="percent"), order)
        assert (verdict.status, verdict.outcome, verdict.value) == ("undecided", "undecided", 11.4)
        assert verdict.reason == DISPUTE.format(
            "live, tier cpu" if live else "recorded on 2026-01-02, tier cpu"
        )
        assert [(rerun.status, rerun.value) for rerun in verdict.reruns] == [("not reproduced", 8.6)]


@pytest.mark.parametrize("seeds, status", [(9, "undecided"), (10, "not reproduced"), (12, "not reproduced")])
def test_twice_the_seeds_of_every_other_run_decide(seeds, status):
    runs = [recording([11, 12, 11, 12, 11], SEEDS, 2), recording([9] * seeds, [*range(seeds)], 1)]
    assert judge(claim(LEAST), runs).status == status


def test_a_rule_that_holds_in_every_run_is_exceeded_only_if_all_exceed_it():
    first, second = recording([13, 14, 15, 14, 13], SEEDS, 1), recording([11, 12, 11, 12, 11], SEEDS, 2)
    for value, status in ((None, "reproduced"), (10.5, "exceeded"), (12.5, "reproduced")):
        verdict = judge(claim(LEAST, value=value), [first, second])
        assert (verdict.status, verdict.value, len(verdict.reruns)) == (status, 11.4, 1)


def test_a_run_that_only_reproduces_takes_the_rest_back():
    first, second = recording([13, 14, 15, 14, 13], SEEDS, 2), recording([11, 12, 11, 12, 11], SEEDS, 1)
    verdict = judge(claim(LEAST, value=12.5), [first, second])
    assert (verdict.status, verdict.value) == ("reproduced", 13.8)


def test_a_dispute_has_no_side_and_a_claim_without_unit_no_words_for_it():
    band = claim({"kind": "within", "low": 10, "high": 12}, value=11, unit=None)
    first, second = recording([13, 14, 13, 14, 13], SEEDS, 2), recording([11, 12, 11, 12, 11], SEEDS, 1)
    verdict = judge(band, [first, second])
    assert (verdict.status, verdict.side) == ("undecided", "")
    assert verdict.reason.startswith("runs disagree: 13.4: not reproduced (recorded on 2026-01-02, ")


def test_a_run_that_may_not_decide_disputes_nothing():
    first, second = recording([9, 8, 9, 8, 9], SEEDS, 1), recording([11, 12, 11, 12, 11], SEEDS, 2)
    first.metrics["ntkd.a"].converged[0] = False
    verdict = judge(claim(LEAST), [first, second])
    assert (verdict.status, [rerun.status for rerun in verdict.reruns]) == ("reproduced", ["not assessed"])


def test_beside_a_live_run_a_reference_run_of_its_tier_decides_nothing():
    live = run({"ntkd.a": metric(11, 12)})
    verdict = judge(claim(LEAST), [live, recording([11, 12, 11, 12, 11], SEEDS, 2)])
    assert (verdict.status, verdict.reason) == ("not assessed", "needs 5 seeds, has 2")


def test_two_numbers_for_all_seeds_disagree():
    first, second = (
        run({"ntkd.all": metric(value, seeds=SEEDS)}, recorded=True, provenance={"time": f"2026-01-0{day}"})
        for value, day in ((3.0, 1), (5.0, 2))
    )
    most = claim({"kind": "at_most", "threshold": 4}, "ntkd.all")
    assert judge(most, [first, second]).status == "undecided"


@pytest.mark.parametrize(
    "processor, words",
    [
        ("Intel(R) Xeon(R) Processor", "Intel Xeon"),
        ("Intel(R) Xeon(R) CPU @ 2.20GHz", "Intel Xeon"),
        ("", "cpu"),
    ],
)
def test_a_run_is_named_by_its_processor(processor, words):
    made = recording([11, 12, 11, 12, 11], SEEDS, 1)
    made.provenance.update(device="cpu", cpu=processor)
    assert str(judge(claim(LEAST), [made]).source) == f"recorded on 2026-01-01, {words}, tier cpu"


def test_fresh_devices_decide_what_two_runs_of_this_project_leave_open():
    """A registered protocol with all its parameters of a reference run counts as other seeds of it."""
    turned = {"ntkd-resilience": "reproduced", "ntkd-t4-mnist-order": "not reproduced"}
    decided = {v.claim.id: v for v in recorded_verdicts() if v.claim.id in turned}
    assert {name: (v.status, v.seeds) for name, v in decided.items()} == {
        name: (status, 10) for name, status in turned.items()
    }
    for verdict in decided.values():
        others = {rerun.source.device: rerun.status for rerun in verdict.reruns}
        assert others == {"Intel Xeon": "reproduced", "AMD EPYC": "not reproduced"}
