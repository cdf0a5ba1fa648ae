import math
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntkd_lib.lab.parameters import (
    ParameterError,
    Parameters,
    changed_from_tier,
    describe,
    from_namespace,
    load_parameters,
    parameter,
    parse_assignment,
    read_params_file,
)
from tests.lab.demo import (
    EPOCHS,
    NAMES,
    NOTEBOOK,
    SEEDS,
    SHARE,
    Demo,
    make_project,
    refused,
    unknown,
)


@pytest.fixture(autouse=True)
def params(tmp_path, monkeypatch):
    return make_project(tmp_path, monkeypatch)


def test_several_problems_are_counted():
    assert refused({"epochs": 0, "method": "x"}) == (
        f"{NOTEBOOK}: epochs = 0 (whole number) is not allowed; allowed: {EPOCHS} (and 1 more)"
    )
    assert refused({"a_a": 0, "b_b": 1}) == f"{NOTEBOOK}: {unknown('a_a', 0, None)} (and 1 more)"


def test_an_unknown_tier_is_refused():
    with pytest.raises(ParameterError) as caught:
        load_parameters(Demo, NOTEBOOK, "gpu", {})
    assert str(caught.value) == (
        f"{NOTEBOOK}: tier = 'gpu' (text) is not allowed; allowed: one of smoke, cpu, paper; nearest: cpu"
    )


def test_a_rule_between_two_parameters_is_one_line_too():
    import pydantic

    class Ranged(Parameters):
        low: int = parameter(1, "Lower end.")
        high: int = parameter(2, "Upper end.")

        @pydantic.model_validator(mode="after")
        def _ordered(self):
            if self.low > self.high:
                raise ValueError(f"low = {self.low} is above\nhigh = {self.high}")
            return self

    with pytest.raises(ParameterError) as caught:
        load_parameters(Ranged, NOTEBOOK + "x", "cpu", {"low": 3})
    assert str(caught.value) == "01_demox: low = 3 is above high = 2"


def test_defaults_then_tier_then_overrides():
    assert load_parameters(Demo, NOTEBOOK, "paper", {}).epochs == 10
    assert load_parameters(Demo, NOTEBOOK, "cpu", {}).epochs == 20
    chosen = load_parameters(Demo, NOTEBOOK, "cpu", {"epochs": 30, "learning_rate": 1, "tier": "cpu"})
    assert (chosen.epochs, chosen.learning_rate, chosen.tier) == (30, 1.0, "cpu")


def test_good_values_of_a_file_pass(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("learning_rate: 1.0e-3\nseeds: [3, 4]\ntune: false\nlabel: 'no'\nshare: 0.5\n")
    chosen = load_parameters(Demo, NOTEBOOK, "cpu", read_params_file(path))
    assert (chosen.learning_rate, chosen.seeds, chosen.tune, chosen.label) == (1e-3, [3, 4], False, "no")
    path.write_text("# nothing yet\n")
    assert read_params_file(path) == {}


@pytest.mark.parametrize(
    "section, line",
    [
        ("  epochs: 0", f"epochs = 0 (whole number) is not allowed; allowed: {EPOCHS}"),
        ("  epoch: 3", unknown("epoch", 3, "epochs")),
        ("  epochs: 1_0", f"epochs = '1_0' (text) is not allowed; allowed: {EPOCHS}; write 10"),
    ],
)
def test_a_bad_tier_file_is_named(params, section, line):
    (params / "cpu.yaml").write_text(f"{NOTEBOOK}:\n{section}\n")
    assert refused({"epochs": 3}) == f"cpu.yaml: {NOTEBOOK}: {line}"


def test_a_section_that_is_no_mapping_is_refused(params):
    (params / "cpu.yaml").write_text(f"{NOTEBOOK}: 3\n")
    assert refused({}) == f"cpu.yaml: {NOTEBOOK} = 3; allowed: names with values"


def test_parameters_are_frozen_and_one_seed_replaces_all():
    chosen = load_parameters(Demo, NOTEBOOK, "cpu", {})
    with pytest.raises(ValueError, match="frozen"):
        chosen.epochs = 3
    assert chosen.all_seeds == [0, 1, 2, 3, 4]
    assert load_parameters(Demo, NOTEBOOK, "cpu", {"seed": 7}).all_seeds == [7]


def test_the_namespace_of_a_notebook_becomes_parameters():
    namespace = {
        "__name__": "__main__",
        "_i1": "epochs = 3",
        "In": ["epochs = 3"],
        "Out": {},
        "exit": "an object of IPython",
        "math": math,
        "print_it": print,
        "tier": "smoke",
        "epochs": 3,
    }
    assert from_namespace(Demo, NOTEBOOK, namespace) == Demo(tier="smoke", epochs=3)


@pytest.mark.parametrize(
    "name, value, line",
    [
        ("learing_rate", 0.5, unknown("learing_rate", 0.5, "learning_rate")),
        ("extra", {"a": 1}, unknown("extra", {"a": 1}, None)),
        ("nothing", None, unknown("nothing", "null", None)),
        ("epochs", "10", f"epochs = '10' (text) is not allowed; allowed: {EPOCHS}; write 10"),
        (
            "tier",
            "gpu",
            "tier = 'gpu' (text) is not allowed; allowed: one of smoke, cpu, paper; nearest: cpu",
        ),
    ],
)
def test_a_stranger_in_the_namespace_is_refused(name, value, line):
    with pytest.raises(ParameterError) as caught:
        from_namespace(Demo, NOTEBOOK, {"epochs": 3, name: value})
    assert str(caught.value) == f"{NOTEBOOK}: {line}"


def test_changes_from_the_tier_are_listed():
    standard = load_parameters(Demo, NOTEBOOK, "cpu", {})
    assert changed_from_tier(standard, NOTEBOOK) == {}
    changed = load_parameters(Demo, NOTEBOOK, "cpu", {"epochs": 3, "seed": 1, "learning_rate": 1e-3})
    assert changed_from_tier(changed, NOTEBOOK) == {"epochs": (20, 3), "seed": (None, 1)}


def test_each_parameter_is_described():
    parts = {part.strip().partition(":")[0]: part.split("\n") for part in list(describe(Demo, NOTEBOOK))[1:]}
    assert list(parts) == NAMES.split(", ")
    defaults = "    default: 10 epochs (smoke), 20 epochs (cpu), 10 epochs (paper)"
    assert parts["epochs"] == ["", f"epochs: {EPOCHS}", "    Passes over the training data.", defaults]
    assert parts["seeds"][1] == f"seeds: {SEEDS}"
    assert parts["seeds"][3].startswith("    default: [0] (smoke), ")
    assert parts["share"][1] == f"share: {SHARE}"


def test_steps_and_patterns_are_described():
    class Stepped(Parameters):
        batch: int = parameter(64, "Images a step.", ge=8, multiple_of=8)
        stem: str = parameter("a", "Stem of a name.", pattern="^[a-z]+$", max_length=9)

    lines = "\n".join(describe(Stepped, NOTEBOOK + "x")).splitlines()
    assert "batch: whole number at least 8 in steps of 8" in lines
    assert "stem: text like ^[a-z]+$, at most 9 characters" in lines


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(name=st.sampled_from(NAMES.split(", ")[1:]) | st.text(), value=json_values)
def test_anything_is_taken_as_it_is_or_refused_in_one_line(name, value):
    try:
        chosen = load_parameters(Demo, NOTEBOOK + "x", "cpu", {name: value})
    except ParameterError as error:
        text = str(error)
        assert len(text.splitlines()) == 1
        assert text.startswith(f"{NOTEBOOK}x: ")
        assert "allowed: " in text
    else:
        assert getattr(chosen, name) == value
        assert not isinstance(value, bool) or name == "tune"


@given(value=json_values.filter(lambda value: value == value))
def test_what_is_typed_as_json_is_read_back(value):
    import json

    assert str(parse_assignment(f"x={json.dumps(value)}")) == str(("x", value))


def test_a_refusal_changes_nothing_on_disk(tmp_path):
    before = sorted((path, path.stat().st_mtime_ns) for path in tmp_path.rglob("*"))
    refused({"epochs": "ten"})
    assert sorted((path, path.stat().st_mtime_ns) for path in tmp_path.rglob("*")) == before


def test_the_heavy_libraries_stay_out():
    code = (
        "import sys, ntkd_lib.lab.parameters, ntkd_lib.lab.verdicts, ntkd_lib.lab.contract\n"
        "print(sorted({'torch', 'matplotlib', 'pandas', 'sklearn'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
