import json
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ntkd_lib.lab.digest import digest_json
from ntkd_lib.lab.evidence import (
    Evidence,
    EvidenceError,
    Metric,
    Point,
    collect_evidence,
    is_rerun,
    join_seeds,
    load_evidence,
    save_evidence,
    split_by_seed,
)
from ntkd_lib.lab.layout import results_root, tier_layout
from ntkd_lib.lab.parameters import tier_parameters
from tests.lab.judging import NOTEBOOK, metric, run

SERIES = [[Point(x=0.0, y=1.0), Point(x=1.0, y=2.0)]] * 2


@pytest.fixture
def evidence():
    return run(
        {
            "ntkd.a": metric(97.1, 97.3, data=["mnist"], cells=["ab" * 32], converged=[True, False]),
            "ntkd.line": Metric(seeds=[0, 1], series=SERIES),
        },
        changed={"epochs": [3, 4]},
    )


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.setenv("NTKD_ROOT", str(tmp_path))
    monkeypatch.setenv("NTKD_BUILD", str(tmp_path / "build"))


def resealed(path, **changes):
    """Change a file of evidence together with its digest, as one who knows how."""
    content = json.loads(path.read_text())
    content.pop("sha256")
    content.update(changes)
    path.write_text(json.dumps({**content, "sha256": digest_json(content)}))


def complaint(path):
    with pytest.raises(EvidenceError) as caught:
        load_evidence(path)
    text = str(caught.value)
    assert text.isprintable()
    return text.removeprefix(f"{path.parent.name}/e.json: ")


def test_evidence_is_read_back_as_written(tmp_path, evidence):
    path = tmp_path / "made" / "e.json"
    save_evidence(path, evidence)
    assert load_evidence(path) == evidence
    assert load_evidence(path, recorded=True).recorded
    assert "recorded" not in json.loads(path.read_text())
    first = path.read_bytes()
    save_evidence(path, load_evidence(path))
    assert path.read_bytes() == first


finite = st.floats(allow_nan=False, allow_infinity=False)


@given(
    values=st.lists(finite, min_size=1, max_size=5),
    parameters=st.dictionaries(st.text(), st.none() | finite | st.text() | st.lists(st.integers())),
)
def test_all_evidence_survives_the_file(tmp_path_factory, values, parameters):
    path = tmp_path_factory.mktemp("evidence") / "e.json"
    written = run({"ntkd.a": metric(*values)}, parameters=parameters)
    save_evidence(path, written)
    assert load_evidence(path) == written


@pytest.mark.parametrize(
    "change",
    [
        ("97.1", "98.1"),
        ("97.1", "1e999"),
        ('"cpu"', '"paper"'),
        ('"real"', '"standin"'),
        ("false", "true"),
        ('"sha256": "', '"sha256": "0'),
        ('"notebook"', '"notebooks"'),
    ],
)
def test_a_change_by_hand_shows(tmp_path, evidence, change):
    path = tmp_path / "e.json"
    save_evidence(path, evidence)
    text = path.read_text()
    assert change[0] in text
    path.write_text(text.replace(*change))
    assert complaint(path) == "changed since it was written (its SHA-256 does not match)"


def test_every_flipped_digit_shows(tmp_path, evidence):
    path = tmp_path / "e.json"
    save_evidence(path, evidence)
    text = path.read_text()
    places = [index for index, letter in enumerate(text) if letter.isdigit()]
    assert len(places) > 100
    for index in places:
        path.write_text(text[:index] + str((int(text[index]) + 1) % 10) + text[index + 1 :])
        with pytest.raises(EvidenceError):
            load_evidence(path)


def test_a_damaged_file_is_refused_in_one_line(tmp_path, evidence):
    path = tmp_path / "e.json"
    assert complaint(path) == "cannot be read: No such file or directory"
    save_evidence(path, evidence)
    text = path.read_text()
    path.write_text(text[: len(text) // 2])
    assert complaint(path).startswith("is not JSON: ")
    path.write_bytes(b"\xff\xfe")
    assert complaint(path).startswith("is not JSON: 'utf-8' codec can't decode ")
    path.write_text(text.replace("97.1", "NaN"))
    assert complaint(path) == "is not JSON: NaN is not a finite number"
    path.write_text("[1]")
    assert complaint(path) == "holds a list; allowed: one JSON object"
    path.write_text("[" * 100_000)
    assert complaint(path).startswith("is not JSON: ")


@pytest.mark.parametrize(
    "changes, line",
    [
        ({"schema_version": 2}, "schema version 2; allowed: 1"),
        ({"schema_version": None}, "schema version None; allowed: 1"),
        ({"tier": "gpu"}, "tier: Input should be 'smoke', 'cpu' or 'paper'"),
        ({"standard": True}, "standard is True, changed parameters: ['epochs']"),
        ({"changed": {}}, "standard is False, changed parameters: []"),
        ({"data": {}}, "metric ntkd.a rests on mnist, which is not among the data"),
        ({"metrics": {"ntkd.a": {"seeds": [], "values": [1.0]}}}, "metrics.ntkd.a.seeds: List should have "),
        ({"surplus": 1}, "surplus: Extra inputs are not permitted"),
    ],
)
def test_evidence_of_another_shape_is_refused_in_one_line(tmp_path, evidence, changes, line):
    path = tmp_path / "e.json"
    save_evidence(path, evidence)
    resealed(path, **changes)
    assert complaint(path).startswith(line)


@pytest.mark.parametrize(
    "fields, line",
    [
        ({"seeds": [0, 0], "values": [1.0, 2.0]}, "a seed is given twice in [0, 0]"),
        ({"seeds": [0, 1, 2], "values": [1.0, 2.0]}, "2 values for 3 seeds"),
        ({"seeds": [0, 1]}, "needs values or series, and not both"),
        ({"seeds": [0, 1], "values": [1.0, 2.0], "series": SERIES}, "needs values or series, and not both"),
        ({"seeds": [0, 1, 2], "series": SERIES}, "2 series for 3 seeds"),
        ({"seeds": [0], "series": [[Point(x=1.0, y=0.0)] * 2]}, "a series needs two points that differ in x"),
        ({"seeds": [0], "values": [1.0], "converged": []}, "0 entries of converged for 1 seeds"),
        ({"seeds": [0], "values": [1.0], "machines": []}, "0 machines for 1 seeds"),
        ({"seeds": [0], "values": [math.nan]}, "finite number"),
        ({"seeds": [-1], "values": [1.0]}, "greater than or equal to 0"),
        ({"seeds": [True], "values": [1.0]}, "valid integer"),
        ({"seeds": [0], "values": ["1"]}, "valid number"),
    ],
)
def test_a_metric_that_does_not_fit_together_is_refused(fields, line):
    with pytest.raises(ValidationError) as caught:
        Metric(**fields)
    said = caught.value.errors()[0]["msg"]
    assert re.sub("^(Value error, |Input should be (a )?)", "", said) == line


def recorded_metric():
    return Metric(
        seeds=[4, 7],
        values=[1.5, 2.5],
        converged=[True, False],
        data=["mnist", "cifar-10"],
        cells=["a" * 64, "b" * 64, "c" * 64, "d" * 64],
        machines=["one", "two"],
    )


def test_a_metric_is_split_by_seed_and_joined_again():
    whole = recorded_metric()
    parts = split_by_seed(whole)
    assert [*parts] == [4, 7]
    assert parts[7] == Metric(
        seeds=[7],
        values=[2.5],
        converged=[False],
        data=["mnist", "cifar-10"],
        cells=["c" * 64, "d" * 64],
        machines=["two"],
    )
    joined = join_seeds(reversed(parts.values()))
    assert joined == whole.model_copy(update={"data": ["cifar-10", "mnist"]})
    series = Metric(seeds=[0, 1], series=SERIES)
    assert split_by_seed(series)[1] == Metric(seeds=[1], series=SERIES[1:])
    assert join_seeds(split_by_seed(series).values()) == series


def test_a_column_that_one_seed_lacks_is_in_no_joined_metric():
    parts = split_by_seed(recorded_metric())
    bare = parts[7].model_copy(update={"converged": None, "machines": None})
    joined = join_seeds([parts[4], bare])
    assert (joined.converged, joined.machines, joined.values) == (None, None, [1.5, 2.5])


@pytest.mark.parametrize(
    "change, same",
    [
        ({}, True),
        ({"parameters": {"epochs": 3, "seeds": [9], "search": {"seed": 5, "trials": 4}}}, True),
        ({"parameters": {"epochs": 3, "seeds": [0], "search": {"seed": 1, "trials": 5}}}, False),
        ({"parameters": {"epochs": 4, "seeds": [0], "search": {"seed": 1, "trials": 4}}}, False),
        ({"notebook": "02_other"}, False),
        ({"protocol": "other"}, False),
        ({"tier": "smoke"}, False),
    ],
)
def test_a_rerun_differs_in_seeds_alone_at_any_depth(change, same):
    parameters = {"epochs": 3, "seeds": [0], "search": {"seed": 1, "trials": 4}}
    first = run({"ntkd.a": metric(1.0)}, parameters=parameters)
    second = run({"ntkd.a": metric(2.0)}, **{"parameters": parameters, **change})
    assert is_rerun(first, second) is same
    assert is_rerun(second, first) is same


def test_the_file_cannot_call_itself_recorded(tmp_path, evidence):
    path = tmp_path / "e.json"
    save_evidence(path, evidence)
    resealed(path, recorded=True)
    assert not load_evidence(path).recorded


def test_live_and_recorded_evidence_is_collected(project):
    live = run({"ntkd.a": metric(1)})
    save_evidence(tier_layout("cpu").evidence(NOTEBOOK), live)
    save_evidence(tier_layout("smoke").evidence(NOTEBOOK), run({}, tier="smoke"))
    save_evidence(results_root() / "b.json", run({"ntkd.a": metric(2)}, tier="paper"))
    save_evidence(results_root() / "a.json", run({"ntkd.a": metric(3)}, tier="paper"))
    found = collect_evidence("cpu")
    assert [(e.recorded, e.metrics["ntkd.a"].values) for e in found] == [
        (False, [1.0]),
        (True, [3.0]),
        (True, [2.0]),
    ]
    assert found[0] == live


def test_reference_runs_stand_beside_a_live_one_with_their_reruns_last_and_on_tier_cpu_alone(project):
    save_evidence(tier_layout("cpu").evidence(NOTEBOOK), run({"ntkd.a": metric(1)}))
    save_evidence(results_root() / "cpu" / "reruns" / f"{NOTEBOOK}.2026-01-01T0000.json", run({}))
    save_evidence(results_root() / "cpu" / f"{NOTEBOOK}.json", run({"ntkd.a": metric(2)}))
    references = [each for each in collect_evidence("cpu") if each.reference]
    assert [[*each.metrics] for each in references] == [["ntkd.a"], []]
    assert collect_evidence("smoke") == []


def test_live_evidence_is_held_to_the_tier_of_today(tmp_path, monkeypatch):
    monkeypatch.setenv("NTKD_BUILD", str(tmp_path))
    name = "04_koopman_vs_least_squares"
    values = tier_parameters(name, "cpu").model_dump(mode="json")
    path = tier_layout("cpu").evidence(name)
    for seeds, standard in ((values["seeds"], True), ([97], False)):
        made = run({"ntkd.a": metric(1)}).model_copy(
            update={"notebook": name, "parameters": {**values, "seeds": seeds}}
        )
        save_evidence(path, made)
        (live,) = (each for each in collect_evidence("cpu") if not each.recorded)
        assert live.standard == standard
        assert live.changed == ({} if standard else {"seeds": (values["seeds"], [97])})


def test_nothing_run_is_no_evidence(project):
    assert collect_evidence("cpu") == []


@pytest.mark.parametrize(
    "written, line",
    [
        ({"tier": "paper"}, f"holds {NOTEBOOK} of tier paper; allowed: {NOTEBOOK} of tier cpu"),
        ({"notebook": "02_other"}, f"holds 02_other of tier cpu; allowed: {NOTEBOOK} of tier cpu"),
    ],
)
def test_evidence_in_a_foreign_place_is_refused(project, written, line):
    save_evidence(tier_layout("cpu").evidence(NOTEBOOK), run({}, **written))
    with pytest.raises(EvidenceError) as caught:
        collect_evidence("cpu")
    assert str(caught.value) == f"evidence/{NOTEBOOK}.json: {line}"


def test_damaged_recorded_evidence_is_not_skipped(project):
    results_root().mkdir()
    (results_root() / "a.json").write_text("{}")
    with pytest.raises(EvidenceError, match=r"^results/a.json: schema version None; allowed: 1$"):
        collect_evidence("cpu")


def test_evidence_is_frozen(evidence):
    assert isinstance(evidence, Evidence)
    with pytest.raises(ValidationError, match="frozen"):
        evidence.tier = "paper"
