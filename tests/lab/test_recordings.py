"""Two recordings of one protocol are pooled, or called undecided when they disagree."""

import pytest

from ntkd_lib.lab.evidence import pool_recordings, protocol_key
from ntkd_lib.lab.verdicts import judge
from tests.lab.judging import claim, metric, run

LEAST = {"kind": "at_least", "threshold": 10}


def recording(values, seeds, day, **fields):
    fields = {"recorded": True, "parameters": {"epochs": 3, "seeds": seeds}, **fields}
    made = metric(*values, seeds=seeds, converged=[True] * len(seeds))
    return run({"ntkd.a": made}, provenance={"time": f"2026-01-0{day}T00:00:00+00:00"}, **fields)


def test_recordings_that_complete_each_other_become_one():
    first, second = recording([9, 11, 12], [0, 1, 2], 1), recording([11, 13, 14], [1, 3, 4], 2)
    (pooled,) = pool_recordings([second, first])
    assert pooled.metrics["ntkd.a"].seeds == [0, 1, 2, 3, 4]
    assert pooled.metrics["ntkd.a"].values == [9, 11, 12, 13, 14]
    assert pooled.metrics["ntkd.a"].converged == [True] * 5
    verdict = judge(claim(LEAST), [first, second])
    assert (verdict.status, verdict.seeds, verdict.value) == ("reproduced", 5, 11.8)


@pytest.mark.parametrize("change", [{"recorded": False}, {"parameters": {"epochs": 4}}, {"tier": "paper"}])
def test_only_recordings_of_one_protocol_are_pooled(change):
    first, second = recording([9, 11, 12], [0, 1, 2], 1), recording([13, 14], [3, 4], 2, **change)
    assert protocol_key(first) != protocol_key(second)
    assert pool_recordings([first, second]) == [first, second]


def test_metrics_of_only_one_recording_are_taken_over():
    first = recording([9, 11], [0, 1], 1)
    second = first.model_copy(update={"metrics": {"ntkd.b": metric(1, 2)}})
    (pooled,) = pool_recordings([first, second])
    assert list(pooled.metrics) == ["ntkd.a", "ntkd.b"]


SEEDS = [0, 1, 2, 3, 4]


def test_recordings_that_disagree_leave_a_claim_undecided():
    first, second = recording([9, 8, 9, 8, 9], SEEDS, 1), recording([11, 12, 11, 12, 11], SEEDS, 2)
    for order in ([first, second], [second, first]):
        verdict = judge(claim(LEAST), order)
        assert verdict.status == "not assessed"
        assert verdict.reason == (
            "undecided: recordings of 2026-01-02 and 2026-01-01 disagree (reproduced, not reproduced)"
        )


def test_recordings_that_differ_and_agree_are_both_named():
    first, second = recording([13, 14, 15, 14, 13], SEEDS, 1), recording([11, 12, 11, 12, 11], SEEDS, 2)
    verdict = judge(claim(LEAST), [first, second])
    assert (verdict.status, verdict.source.date) == ("reproduced", "2026-01-02 and 2026-01-01")


def test_one_number_for_all_seeds_is_never_pooled_with_another():
    first, second = (
        run({"ntkd.all": metric(value, seeds=SEEDS)}, recorded=True, provenance={"time": f"2026-01-0{day}"})
        for value, day in ((3.0, 1), (5.0, 2))
    )
    most = claim({"kind": "at_most", "threshold": 4}, "ntkd.all")
    assert len(pool_recordings([first, second])) == 2
    assert judge(most, [first, second]).reason.startswith(
        "undecided: recordings of 2026-01-02 and 2026-01-01"
    )
