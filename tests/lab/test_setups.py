"""Set-ups and registered protocols, and what the judge makes of evidence that does not keep to them."""

import pytest
from pydantic import ValidationError

from ntkd_lib.lab.checks import recording_problems
from ntkd_lib.lab.setups import Requirement, is_covered
from ntkd_lib.lab.verdicts import judge
from tests.lab.judging import NOTEBOOK, ORDER, book_of, entry, metric, run

AT_LEAST = {"kind": "at_least", "threshold": 90}
SETUP = {
    "registered": "2026-11-28",
    "says": "Students of AlexNet.",
    "metrics": ["ntkd.a"],
    "requires": {"teacher": {"allowed": ["alexnet"]}},
}
PROTOCOL = {
    "registered": "2026-11-28",
    "notebook": NOTEBOOK,
    "tier": "paper",
    "seeds": [0, 1, 2, 3, 4],
    "parameters": {"teacher": "alexnet", "epochs": 36},
    "metrics": ["ntkd.a", "ntkd.b"],
}


def book(claims=None, **protocol):
    return book_of(
        *(claims or [entry(AT_LEAST, tier="paper")]),
        setups={"students": SETUP},
        protocols={"long": {**PROTOCOL, **protocol}},
    )


def number(value=97, **fields):
    return metric(*[value] * 5, machines=["m"] * 5, **fields)


def recorded(judged, metrics=None, **fields):
    """Record a run as its protocol was registered, but for what a test changes."""
    metrics = {"ntkd.a": number()} if metrics is None else metrics
    plain = {
        "tier": "paper",
        "recorded": True,
        "protocol": "long",
        "parameters": {"tier": "paper", **PROTOCOL["parameters"]},
        "definitions": {name: judged.metrics[name].digest for name in metrics},
    }
    return run(metrics, **{**plain, **fields})


def verdict(judged, *runs):
    return judge(judged.claims[0], runs)


def reason(judged, *runs):
    judgement = verdict(judged, *runs)
    assert (judgement.status == "not assessed") == bool(judgement.reason)
    return judgement.reason


def problems(judged, evidence):
    return list(recording_problems(evidence, judged))


def test_evidence_as_registered_is_assessed():
    judged = book()
    assert verdict(judged, recorded(judged)).status == "reproduced"
    assert problems(judged, recorded(judged)) == []


@pytest.mark.parametrize("name", ["", "other"])
def test_a_protocol_that_is_not_registered_is_refused(name):
    judged = book()
    evidence = recorded(judged, protocol=name)
    line = f"protocol not registered ({name or 'none is named'})"
    assert reason(judged, evidence) == line
    assert problems(judged, evidence) == [line]


@pytest.mark.parametrize(
    "change, line",
    [
        ({"epochs": 60}, "protocol: epochs is 60, registered: 36"),
        ({"extra": 1}, "protocol: extra is 1, registered: nothing"),
        ({"epochs": None}, "protocol: epochs is None, registered: 36"),
    ],
)
def test_a_changed_parameter_is_found_whatever_the_file_says_of_itself(change, line):
    judged = book()
    parameters = {"tier": "paper", **PROTOCOL["parameters"], **change}
    evidence = recorded(judged, parameters=parameters)
    assert (evidence.standard, evidence.changed) == (True, {})
    assert reason(judged, evidence) == line
    assert problems(judged, evidence) == [line]


def test_a_left_out_parameter_is_found():
    judged = book()
    evidence = recorded(judged, parameters={"teacher": "alexnet"})
    assert reason(judged, evidence) == "protocol: epochs is not stated, registered: 36"


def test_a_protocol_counts_on_its_own_tier_and_notebook():
    judged = book([entry(AT_LEAST)], tier="cpu")
    line = f"protocol: it is of {NOTEBOOK} on tier paper, registered: {NOTEBOOK} on tier cpu"
    assert reason(judged, recorded(judged)) == line


def test_a_metric_or_seed_that_is_not_registered_is_refused():
    judged = book(metrics=["ntkd.b"])
    assert reason(judged, recorded(judged)) == "protocol: long does not measure ntkd.a"
    judged = book(seeds=[0, 1, 2, 3])
    assert reason(judged, recorded(judged)) == "protocol: seed 4 of ntkd.a is not registered"


def test_a_number_of_another_definition_is_refused():
    judged = book()
    other = recorded(judged, definitions={"ntkd.a": judged.metrics["ntkd.b"].digest})
    assert reason(judged, other) == "protocol: ntkd.a was recorded under another definition"
    silent = recorded(judged, definitions={})
    assert reason(judged, silent) == "protocol: ntkd.a does not carry its definition's digest"
    live = run(
        {"ntkd.a": number()}, tier="paper", parameters={"teacher": "alexnet"}, definitions={"ntkd.a": "0"}
    )
    assert reason(judged, live) == "protocol: ntkd.a was recorded under another definition"


@pytest.mark.parametrize(
    "parameters, line",
    [
        ({"teacher": "compact"}, "protocol: teacher is compact, allowed: alexnet"),
        ({}, "protocol: teacher is not stated, allowed: alexnet"),
        ({"teacher": "alexnet"}, ""),
    ],
)
def test_live_evidence_keeps_to_the_set_ups_too(parameters, line):
    judged = book()
    assert reason(judged, run({"ntkd.a": number()}, tier="paper", parameters=parameters)) == line


def test_a_departure_that_was_registered_is_refused_all_the_same():
    judged = book(parameters={"teacher": "wide"}, departs=["students"])
    evidence = recorded(judged, parameters={"teacher": "wide"})
    assert reason(judged, evidence) == "protocol: teacher is wide, allowed: alexnet"
    assert problems(judged, evidence) == []


def test_a_registration_says_from_which_set_ups_it_departs():
    line = "protocols.long: set-up students is not among departs: teacher is wide, allowed: alexnet"
    with pytest.raises(ValidationError, match=line):
        book(parameters={"teacher": "wide"})
    with pytest.raises(ValidationError, match=r"protocols.long: departs names students, which it keeps to"):
        book(departs=["students"])


def test_a_set_up_of_no_metric_is_refused():
    with pytest.raises(ValidationError, match=r"setups.s: ntkd.z.\* is no metric"):
        book_of(entry(AT_LEAST), setups={"s": {**SETUP, "metrics": ["ntkd.z.*"]}})


@pytest.mark.parametrize(
    "metrics, name, covered",
    [
        (["ntkd.a"], "ntkd.a", True),
        (["ntkd.a"], "ntkd.ab", False),
        (["ntkd.*"], "ntkd.a.b", True),
        (["ntkd.*"], "ntkd", False),
        (["ntkd.a.*"], "ntkd.ab.c", False),
    ],
)
def test_metrics_are_named_or_share_a_prefix(metrics, name, covered):
    assert is_covered(name, metrics) is covered


def test_a_requirement_reads_parameters_inside_others():
    rate = Requirement(allowed=[0.1, 0.2])
    assert rate.departure("points.a.lr", {"points": {"a": {"lr": 0.2}}}) == ""
    assert rate.departure("points.a.lr", {"points": {"a": 3}}) == (
        "points.a.lr is not stated, allowed: 0.1 or 0.2"
    )
    assert rate.departure("lr", {"lr": None}) == "lr is None, allowed: 0.1 or 0.2"


def test_what_the_program_fixes_need_not_be_stated_and_may_not_be_stated_otherwise():
    fixed = Requirement(allowed=["lenet"], fixed=True)
    assert fixed.departure("teacher", {}) == ""
    assert fixed.departure("teacher", {"teacher": "wide"}) == "teacher is wide, allowed: lenet"


def test_a_plateau_is_not_asked_for_where_the_contract_says_so():
    free = {"plateau": False, "why": "Read at a fixed step."}
    unfinished = {"ntkd.a": number(converged=[False] * 5)}
    asked = book()
    assert reason(asked, recorded(asked, unfinished)) == "training not converged (seeds 0, 1, 2, 3, 4)"
    by_protocol = book(**free)
    assert verdict(by_protocol, recorded(by_protocol, unfinished)).status == "reproduced"
    exempt = {**SETUP, **free}
    by_setup = book_of(
        entry(AT_LEAST, tier="paper"), setups={"students": exempt}, protocols={"long": PROTOCOL}
    )
    assert verdict(by_setup, recorded(by_setup, unfinished)).status == "reproduced"
    with pytest.raises(ValidationError, match="plateau false needs why"):
        book(plateau=False)


def test_a_record_that_does_not_speak_of_plateaus_is_refused():
    judged = book()
    silent = recorded(judged, {"ntkd.a": number(converged=None)})
    assert reason(judged, silent) == "training not shown to have converged (ntkd.a)"
    assert problems(judged, silent) == ["ntkd-demo: training not shown to have converged (ntkd.a)"]


def pair(third="m"):
    """Record both arms of an ordering, seed 3 of the second on some machine."""
    machines = ["m", "m", "m", third, "m"]
    return {"ntkd.a": number(97), "ntkd.b": metric(*[90] * 5, machines=machines)}


def test_arms_from_different_machines_lose_their_seed():
    judged = book([entry(ORDER, ["ntkd.a", "ntkd.b"], tier="paper")])
    assert verdict(judged, recorded(judged, pair())).status == "reproduced"
    evidence = recorded(judged, pair("other"))
    line = "needs 5 seeds, has 4 (seed 3: arms from different machines)"
    assert reason(judged, evidence) == line
    assert verdict(judged, evidence).seeds == 4
    assert problems(judged, evidence) == ["ntkd-demo: seed 3: arms from different machines"]


def test_machines_of_arms_that_are_not_compared_may_differ():
    judged = book()
    evidence = recorded(judged, {"ntkd.a": metric(*[97] * 5, machines=list("abcde"))})
    assert verdict(judged, evidence).status == "reproduced"


def test_a_recorded_number_says_where_it_was_computed():
    judged = book()
    evidence = recorded(judged, {"ntkd.a": metric(*[97] * 5)})
    assert reason(judged, evidence) == "protocol: ntkd.a does not say where it was computed"


def test_a_live_run_with_changed_parameters_is_not_assessed():
    judged = book_of(entry(AT_LEAST))
    evidence = run({"ntkd.a": number()}, changed={"epochs": [3, 4]})
    assert reason(judged, evidence) == "parameters differ from the tier's (epochs)"
