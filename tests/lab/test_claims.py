import re
from collections import Counter

import pytest
import yaml

from ntkd_lib.lab.claims import ClaimError, load_claims
from ntkd_lib.lab.digest import digest_json
from ntkd_lib.lab.layout import project_root
from tests.lab.judging import METRICS, ORDER, RATIO, NoAliases, entry

WITHIN = {"kind": "within", "low": 1.0, "high": 2.0}


def write(path, *entries, **content):
    book = {"schema_version": 1, "claims": list(entries), "metrics": METRICS, **content}
    path.write_text(yaml.dump(book, Dumper=NoAliases, sort_keys=False))
    return path


def complaint(path):
    with pytest.raises(ClaimError) as caught:
        load_claims(path)
    text = str(caught.value)
    assert text.isprintable()
    return text


def test_the_contract_of_the_project_is_read_whole():
    book = load_claims()
    raw = yaml.load((project_root() / "claims.yml").read_text(encoding="utf-8"), yaml.CSafeLoader)
    assert [claim.id for claim in book.claims] == [claim["id"] for claim in raw["claims"]]
    assert book.metrics.keys() == raw["metrics"].keys()
    for claim, plain in zip(book.claims, raw["claims"], strict=True):
        assert claim.model_dump(exclude_none=True) == plain
        assert claim.terms.definitions.keys() == set(claim.metric_names)
    later = {claim.replacement.id for claim in book.claims if claim.replacement}
    assert later < {claim.id for claim in book.claims if claim.registered}


def test_the_second_registration_is_taken_over_as_it_was_written():
    # The digest of its 34 entries and 43 metrics, field by field, as they were handed in on 2026-11-28.
    raw = yaml.load((project_root() / "claims.yml").read_text(encoding="utf-8"), yaml.CSafeLoader)
    entries = [claim for claim in raw["claims"] if claim.get("registered") == "2026-11-28"][:34]
    names = list(raw["metrics"])
    first = names.index("ntkd.cifar10.matched.none.accuracy")
    metrics = {name: raw["metrics"][name] for name in names[first : first + 43]}
    content = {"claims": entries, "metrics": metrics}
    assert digest_json(content) == "a4f86baa4ea68b117a5a7667911e926254d7b5f7fd3d570490e10c516b2a5721"


def test_every_kind_of_rule_is_in_use():
    first = [claim for claim in load_claims().claims if claim.registered is None]
    assert Counter(claim.rule.kind for claim in first) == {
        "ordering": 38,
        "at_least": 24,
        "within": 15,
        "at_most": 9,
        "ratio_at_least": 4,
        "slope_within": 2,
    }


def test_definitions_say_which_metrics_are_one_number_or_a_series():
    metrics = load_claims().metrics
    assert [name for name, definition in metrics.items() if definition.pooled] == [
        "koopman.mnist.q2.kd.accuracy_std",
        "koopman.mnist.q2.naive.accuracy_std",
        "spectral.six.networks_improved",
        "spectral.null.false_positive_rate",
    ]
    assert [name for name, definition in metrics.items() if definition.is_series] == [
        "ntkd.theory.ntk_change_fixed_total",
        "spectral.grid.optimism_series",
    ]


@pytest.mark.parametrize(
    "change, line",
    [
        ({"id": "Demo"}, "Demo: id: String should match pattern "),
        ({"id": "koopman-demo"}, "koopman-demo: the id of a claim of paper ntkd begins with ntkd-"),
        ({"paper": "other"}, "ntkd-demo: paper: Input should be 'ntkd', 'koopman', 'spectral', "),
        ({"tier": "smoke"}, "ntkd-demo: tier: Input should be 'cpu' or 'paper'"),
        ({"seeds": 3}, "ntkd-demo: seeds is 3; allowed: 1 where nothing is random, else 5 or more"),
        ({"seeds": 0}, "ntkd-demo: seeds: Input should be greater than or equal to 1"),
        ({"seeds": 5.0}, "ntkd-demo: seeds: Input should be a valid integer"),
        ({"seeds": True}, "ntkd-demo: seeds: Input should be a valid integer"),
        ({"value": "97.3"}, "ntkd-demo: value: Input should be a valid number"),
        ({"value": float("nan")}, "ntkd-demo: value: Input should be a finite number"),
        ({"spread": 0.1}, "ntkd-demo: a spread needs a value"),
        ({"value": 1.0, "spread": -0.1}, "ntkd-demo: spread: Input should be greater than or equal to 0"),
        ({"assessable": "proxy"}, "ntkd-demo: assessable proxy needs why"),
        ({"surplus": 1}, "ntkd-demo: surplus: Extra inputs are not permitted"),
        ({"claim": ""}, "ntkd-demo: claim: String should have at least 1 character"),
        ({"metric": ["ntkd.a", "ntkd.b"]}, "ntkd-demo: a rule of kind within reads one metric, not 2"),
        ({"metric": "ntkd.none"}, "ntkd-demo: metric ntkd.none is not defined under metrics"),
        ({"metric": "ntkd.line"}, "ntkd-demo: metric ntkd.line is a series, the rule is within"),
        ({"registered": "soon"}, "ntkd-demo: registered: 'soon' is no day; allowed: YYYY-MM-DD"),
        ({"registered": "20261128"}, "ntkd-demo: registered: '20261128' is no day; allowed: YYYY-MM-DD"),
        ({"registered": "2026-02-30"}, "ntkd-demo: registered: '2026-02-30' is no day; allowed: YYYY-MM-DD"),
        (
            {"known": "nothing"},
            "ntkd-demo: known says what was seen on the day of registration: it needs reg",
        ),
        ({"notebook": "demo"}, "ntkd-demo: notebook: String should match pattern "),
        ({"supersedes": "ntkd-gone"}, "ntkd-demo: superseding ntkd-gone needs a note that says why"),
        (
            {"supersedes": "ntkd-gone", "note": "It was wrong."},
            "ntkd-demo: supersedes ntkd-gone, which is no earlier entry",
        ),
        (
            {"supersedes": "ntkd-demo", "note": "It was wrong."},
            "ntkd-demo: supersedes ntkd-demo, which is no earlier entry",
        ),
    ],
)
def test_a_bad_field_is_refused_in_one_line(tmp_path, change, line):
    path = write(tmp_path / "claims.yml", entry(WITHIN, **change))
    assert complaint(path).startswith(f"claims.yml: {line}")


@pytest.mark.parametrize(
    "rule, metric, line",
    [
        ({"kind": "near", "low": 1, "high": 2}, "ntkd.a", "rule: Input tag 'near' found using 'kind' "),
        ({"low": 1, "high": 2}, "ntkd.a", "rule: Unable to extract tag using discriminator 'kind'"),
        ({"kind": "within", "low": 1}, "ntkd.a", "rule.within.high: Field required"),
        ({"kind": "within", "low": 3, "high": 2}, "ntkd.a", "rule.within: low 3.0 is above high 2.0"),
        ({**WITHIN, "threshold": 1}, "ntkd.a", "rule.within.threshold: Extra inputs are not permitted"),
        ({"kind": "at_least", "threshold": "x"}, "ntkd.a", "rule.at_least.threshold: Input should be "),
        ({**ORDER, "test": "t-test"}, ["ntkd.a", "ntkd.b"], "rule.ordering.test: Input should be "),
        (ORDER, ["ntkd.b", "ntkd.a"], "metric is ['ntkd.b', 'ntkd.a'], the rule reads ['ntkd.a', 'ntkd.b']"),
        (RATIO, "ntkd.a", "metric is ['ntkd.a'], the rule reads ['ntkd.a', 'ntkd.b']"),
        (
            {**ORDER, "less": "ntkd.all"},
            ["ntkd.a", "ntkd.all"],
            "metric ntkd.all is one number for all seeds: it cannot be compared seed by seed",
        ),
        (
            {"kind": "slope_within", "low": 1, "high": 2},
            "ntkd.a",
            "metric ntkd.a is no series, the rule is slope_within",
        ),
    ],
)
def test_a_bad_rule_is_refused_in_one_line(tmp_path, rule, metric, line):
    path = write(tmp_path / "claims.yml", entry(rule, metric))
    assert complaint(path).startswith(f"claims.yml: ntkd-demo: {line}")


def test_an_id_given_twice_is_refused(tmp_path):
    path = write(tmp_path / "claims.yml", entry(WITHIN), entry(WITHIN))
    assert complaint(path) == "claims.yml: ntkd-demo is given twice"


def test_a_claim_is_superseded_by_one_later_entry(tmp_path):
    later = {"supersedes": "ntkd-demo", "note": "The first was wrong."}
    new, newer = (entry(WITHIN, id=name, **later) for name in ("ntkd-new", "ntkd-newer"))
    book = load_claims(write(tmp_path / "claims.yml", entry(WITHIN), new))
    replaced = {claim.id: claim.replacement.id for claim in book.claims if claim.replacement}
    assert replaced == {"ntkd-demo": "ntkd-new"}
    path = write(tmp_path / "claims.yml", entry(WITHIN), new, newer)
    assert complaint(path) == "claims.yml: ntkd-new: ntkd-demo is superseded by ntkd-newer too"


@pytest.mark.parametrize(
    "before, after, line",
    [
        ("seeds: 5", "seeds: 1:30", "ntkd-demo: seeds: Input should be a valid integer"),
        ("low: 1.0", "low: 1_0.0", "ntkd-demo: rule."),
        ("seeds: 5", "seeds: 5\n  seeds: 6", "claims.yml: line 15: seeds is given twice"),
        ("seeds: 5", "seeds: !!python/name:os.x", "claims.yml: line 14: the tag "),
        ("schema_version: 1", "schema_version: 2", "claims.yml: schema_version: Input should be 1"),
        ("schema_version: 1", "", "claims.yml: schema_version: Field required"),
    ],
)
def test_yaml_is_read_without_surprises(tmp_path, before, after, line):
    path = write(tmp_path / "claims.yml", entry(WITHIN))
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))
    assert complaint(path).removeprefix("claims.yml: ").startswith(line.removeprefix("claims.yml: "))


@pytest.mark.parametrize(
    "text", ["", "- 1", "text", "claims: 3", "schema_version: 1\nclaims: [3]\nmetrics: {}"]
)
def test_another_file_is_refused_in_one_line(tmp_path, text):
    path = tmp_path / "claims.yml"
    path.write_text(text)
    assert re.match(
        r"^claims\.yml: .*(should be a valid dictionary|Field required|valid list)", complaint(path)
    )


def test_a_missing_file_is_refused_in_one_line(tmp_path):
    assert complaint(tmp_path / "none.yml").startswith("none.yml: cannot be read: ")
