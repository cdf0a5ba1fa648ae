import json
from copy import deepcopy

import pytest
import yaml

from ntkd_lib.lab import contract
from ntkd_lib.lab.claims import ClaimBook, ClaimError, load_claims
from ntkd_lib.lab.contract import (
    CONTRACT_FILE,
    check_contract,
    contract_digests,
    extend_contract,
    read_contract,
)
from ntkd_lib.lab.digest import digest_json
from ntkd_lib.lab.layout import project_root
from tests.lab.judging import NoAliases

NAME = "ntkd-t3-mnist-ntkd"
CHANGED = f"{NAME}: changed since contract.json was written; a wrong entry stays, and a new one supersedes it"

ADDED = "added since contract.json was written, and"
LACKING = "is not in contract.json; run python -m ntkd_lib.lab.contract"


CONTENT = yaml.load((project_root() / "claims.yml").read_text(encoding="utf-8"), yaml.CSafeLoader)


@pytest.fixture
def content():
    return deepcopy(CONTENT)


def entry(content, name=NAME):
    return next(claim for claim in content["claims"] if claim["id"] == name)


def problems(content, other=None):
    return check_contract(ClaimBook.model_validate(content), other)


def test_the_committed_contract_holds():
    assert check_contract(load_claims()) == []
    assert len(read_contract()) >= 126


def test_the_committed_digests_are_those_of_the_first_day():
    # Whoever edits claims.yml and contract.json together has to edit this line too.
    days = {claim.id: claim.registered for claim in load_claims().claims}
    first = {name: digest for name, digest in read_contract().items() if days.get(name, "later") is None}
    assert len(first) == 92
    assert digest_json(first) == "cb693a15700a1198d726e4d804aa1c4c10c980adf101581bd0e97b896cf0859e"


@pytest.mark.parametrize(
    "change",
    [
        {"rule": {"kind": "at_least", "threshold": 96.6}},
        {"rule": {"kind": "at_most", "threshold": 96.7}},
        {"rule": {"kind": "within", "low": 0, "high": 100}},
        {"metric": "ntkd.mnist.kd.accuracy"},
        {"value": 97.2},
        {"value": None, "spread": None},
        {"spread": 0.7},
        {"unit": "points"},
        {"tier": "paper"},
        {"seeds": 6},
        {"assessable": "not", "why": "It failed."},
        {"notebook": "02_ntkd_segmentation"},
    ],
)
def test_a_changed_claim_is_found(content, change):
    entry(content).update(change)
    assert problems(content) == [CHANGED]


def test_a_changed_margin_is_found(content):
    entry(content, "ntkd-t3-mnist-order")["rule"]["margin"] = -0.5
    assert problems(content) == [CHANGED.replace(NAME, "ntkd-t3-mnist-order")]


def test_a_changed_definition_is_found_in_each_claim_that_reads_it(content):
    content["metrics"]["ntkd.mnist.ntkd.accuracy"]["what"] += " Best of ten."
    readers = {c["id"] for c in content["claims"] if "ntkd.mnist.ntkd.accuracy" in c["metric"]}
    found = problems(content)
    assert {line.partition(":")[0] for line in found} == readers
    assert len(readers) > 1


def test_a_changed_unit_of_a_metric_is_found(content):
    content["metrics"]["ntkd.mnist.ntkd.accuracy"]["unit"] = "share"
    assert CHANGED in problems(content)


def test_a_removed_claim_is_found(content):
    content["claims"].remove(entry(content))
    assert problems(content) == [f"{NAME}: removed; an entry of contract.json stays"]


def test_a_renamed_claim_is_found_twice(content):
    entry(content)["id"] = "ntkd-renamed"
    assert problems(content) == [
        f"{NAME}: removed; an entry of contract.json stays",
        f"ntkd-renamed: {ADDED} has no registered, the day on which it was written",
        f"ntkd-renamed: {LACKING}",
    ]


def test_an_id_given_twice_is_refused_when_read(tmp_path, content):
    content["claims"].append(entry(content))
    path = tmp_path / "claims.yml"
    path.write_text(yaml.dump(content, Dumper=NoAliases))
    with pytest.raises(ClaimError, match=f"^claims.yml: {NAME} is given twice$"):
        load_claims(path)


def test_a_new_entry_may_take_the_place_of_another(content):
    new = {**entry(content), "id": "ntkd-new", "rule": {"kind": "at_least", "threshold": 90}}
    content["claims"].append(new)
    without_day = f"ntkd-new: {ADDED} has no registered, the day on which it was written"
    assert problems(content) == [without_day, f"ntkd-new: {LACKING}"]
    new.update(supersedes=NAME, note="The first threshold could not be met by any method.")
    assert problems(content) == [without_day, f"ntkd-new: {LACKING}"]
    new.update(registered="2026-11-28")
    assert problems(content) == [f"ntkd-new: {LACKING}"]


def test_a_new_entry_that_supersedes_none_says_what_was_known(content):
    new = {**entry(content), "id": "ntkd-new", "registered": "2026-11-28"}
    content["claims"].append(new)
    assert problems(content) == [
        f"ntkd-new: {ADDED} supersedes no entry and has no known, what had been seen of its number",
        f"ntkd-new: {LACKING}",
    ]
    new.update(known="nothing")
    assert problems(content) == [f"ntkd-new: {LACKING}"]


def test_a_new_protocol_has_to_be_in_the_contract_too(content):
    content["protocols"]["new"] = content["protocols"]["small"]
    assert problems(content) == [f"protocol new: {LACKING}"]


@pytest.mark.parametrize("change", [{"registered": "2026-11-27"}, {"known": "nothing"}, {"registered": None}])
def test_a_changed_registration_is_found(content, change):
    later = "ntkd-t3-cifar10-none-2"
    entry(content, later).update(change, **({"known": None} if "registered" in change else {}))
    assert problems(content) == [CHANGED.replace(NAME, later)]


def test_wording_place_and_notes_may_be_corrected(content):
    entry(content).update(claim="Better words.", where="Table 3, row 2", note="Printed beside the verdict.")
    assert problems(content) == []


def test_another_copy_says_what_was_changed(tmp_path, content):
    path = tmp_path / "earlier.yml"
    path.write_text(yaml.dump(content, Dumper=NoAliases))
    assert problems(content, path) == []
    entry(content)["rule"]["threshold"] = 90
    entry(content)["seeds"] = 6
    assert problems(content, path) == [
        CHANGED,
        CHANGED.replace(
            "contract.json was written",
            "earlier.yml was written (rule was {'kind': 'at_least', 'threshold': 96.7}, "
            "is {'kind': 'at_least', 'threshold': 90.0}; seeds was 5, is 6)",
        ),
    ]


def test_a_contract_that_was_loosened_together_with_the_claims_differs_from_another_copy(
    tmp_path, monkeypatch, content
):
    path = tmp_path / "earlier.yml"
    path.write_text(yaml.dump(content, Dumper=NoAliases))
    entry(content)["value"] = 90.0
    loosened = tmp_path / "contract.json"
    extend_contract(ClaimBook.model_validate(content), loosened)
    monkeypatch.setattr(contract, "CONTRACT_FILE", loosened)
    assert problems(content) == []
    assert problems(content, path) == [
        CHANGED.replace("contract.json was written", "earlier.yml was written (value was 97.3, is 90.0)")
    ]


def test_the_contract_is_extended_and_never_rewritten(tmp_path, content):
    path = tmp_path / "contract.json"
    extend_contract(ClaimBook.model_validate(content), path)
    assert path.read_bytes() == CONTRACT_FILE.read_bytes()
    new = {
        **entry(content),
        "id": "ntkd-new",
        "supersedes": NAME,
        "note": "It was wrong.",
        "registered": "2026-11-28",
    }
    content["claims"].append(new)
    extend_contract(ClaimBook.model_validate(content), path)
    assert json.loads(path.read_text()).keys() - read_contract().keys() == {"ntkd-new"}
    before = path.read_bytes()
    entry(content)["value"] = 90.0
    with pytest.raises(ClaimError) as caught:
        extend_contract(ClaimBook.model_validate(content), path)
    assert str(caught.value) == CHANGED
    assert path.read_bytes() == before


def test_digests_do_not_depend_on_how_the_file_is_laid_out(content):
    book = ClaimBook.model_validate(content)
    for claim in content["claims"]:
        claim["rule"] = dict(reversed(claim["rule"].items()))
    assert contract_digests(ClaimBook.model_validate(content)) == contract_digests(book)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a": 1}'])
def test_a_damaged_contract_is_refused_in_one_line(tmp_path, text):
    path = tmp_path / "contract.json"
    path.write_text(text)
    with pytest.raises(ClaimError) as caught:
        read_contract(path)
    assert str(caught.value).startswith("contract.json: ")
    assert str(caught.value).isprintable()


def test_a_missing_contract_is_refused_in_one_line(tmp_path):
    with pytest.raises(ClaimError, match=r"^none.json: cannot be read: .*No such file"):
        read_contract(tmp_path / "none.json")


def test_the_newcomers_of_a_later_registration_pass_against_an_earlier_copy(tmp_path, content):
    path = tmp_path / "earlier.yml"
    earlier = {**content, "claims": [claim for claim in content["claims"] if "registered" not in claim]}
    path.write_text(yaml.dump(earlier, Dumper=NoAliases))
    assert problems(content, path) == []
    entry(content, "ntkd-ctl-weight-decay").pop("known")
    assert problems(content, path)[-1] == (
        "ntkd-ctl-weight-decay: added since earlier.yml was written, and supersedes no entry "
        "and has no known, what had been seen of its number"
    )
