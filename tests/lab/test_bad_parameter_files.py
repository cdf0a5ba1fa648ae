import pytest

from ntkd_lib.lab.parameters import ParameterError, load_parameters, read_params_file
from tests.lab.demo import (
    EPOCHS,
    LABEL,
    NOTEBOOK,
    RATE,
    SEEDS,
    Demo,
    make_project,
    named,
    refused,
    unknown,
)


@pytest.fixture(autouse=True)
def params(tmp_path, monkeypatch):
    return make_project(tmp_path, monkeypatch)


# a line of YAML that is well formed, and what is wrong with it
YAML_VALUES = [
    ("tune: no", "tune = 'no' (text) is not allowed; allowed: true or false; write false"),
    ("tune: On", "tune = 'On' (text) is not allowed; allowed: true or false; write true"),
    ("tune: y", "tune = 'y' (text) is not allowed; allowed: true or false"),
    ("learning_rate: 5E3", f"learning_rate = 5000.0 (number) is not allowed; allowed: {RATE}"),
    ("learning_rate: 1_0.5", f"learning_rate = '1_0.5' (text) is not allowed; allowed: {RATE}; write 10.5"),
    ("epochs: 0b11", f"epochs = '0b11' (text) is not allowed; allowed: {EPOCHS}"),
    ("epochs: 1:30", f"epochs = '1:30' (text) is not allowed; allowed: {EPOCHS}"),
    ("epochs: 1_000", f"epochs = '1_000' (text) is not allowed; allowed: {EPOCHS}; write 1000"),
    ("seeds: [0, 1:10]", f"seeds[1] = '1:10' (text) is not allowed; allowed: {SEEDS}"),
    ("label: 12", f"label = 12 (whole number) is not allowed; allowed: {LABEL}"),
    ("learning_rate: .nan", f"learning_rate = nan (not a finite number) is not allowed; allowed: {RATE}"),
    ("learning_rate: -.inf", f"learning_rate = -inf (not a finite number) is not allowed; allowed: {RATE}"),
    ("learning_rate: '1e-3'", f"learning_rate = '1e-3' (text) is not allowed; allowed: {RATE}; write 0.001"),
    ("learning_rate: 1.0e+400", f"learning_rate = inf (not a finite number) is not allowed; allowed: {RATE}"),
    ("epochs:", f"epochs = null (nothing) is not allowed; allowed: {EPOCHS}"),
    ("epochs: ~", f"epochs = null (nothing) is not allowed; allowed: {EPOCHS}"),
    ("learing_rate: 1e-3", unknown("learing_rate", 0.001, "learning_rate")),
]
YAML_AS_IT_LOOKS = {
    "epochs: 012": 12,
    "epochs: 08": 8,
    "epochs: 0x10": 16,
    "epochs: 0o17": 15,
    "epochs: +3": 3,
    "learning_rate: 1e-3": 0.001,
    "learning_rate: .5": 0.5,
    "learning_rate: 1E-3": 0.001,
    "label: off": "off",
    "label: 2026-01-02": "2026-01-02",
    "label: '12'": "12",
    "label: 1:30": "1:30",
    "tune: False": False,
    "share: null": None,
}


@pytest.mark.parametrize("text", YAML_AS_IT_LOOKS)
def test_a_scalar_is_read_as_it_looks(tmp_path, text):
    path = tmp_path / "mine.yaml"
    path.write_text(text + "\n")
    ((name, value),) = read_params_file(path).items()
    read = getattr(load_parameters(Demo, NOTEBOOK, "cpu", {name: value}), name)
    assert (type(read), read) == (type(YAML_AS_IT_LOOKS[text]), YAML_AS_IT_LOOKS[text])


@pytest.mark.parametrize("text, line", YAML_VALUES, ids=named(YAML_VALUES))
def test_a_value_that_is_not_allowed_is_refused_in_one_line(tmp_path, text, line):
    path = tmp_path / "mine.yaml"
    path.write_text(text + "\n")
    assert refused(read_params_file(path)) == f"{NOTEBOOK}: {line}"


ONE_A_LINE = "; allowed: one `name: value` a line"
PLAIN = "is not allowed: only plain data is" + ONE_A_LINE
NAME = "; allowed: letters, digits and _"
BAD_FILES = [
    ("epochs: 1\nepochs: 2", f"mine.yaml: line 2: epochs is given twice{ONE_A_LINE}"),
    ("epochs:\n\t- 1", f"mine.yaml: line 2: a tab where YAML wants spaces{ONE_A_LINE}"),
    ("\tepochs: 1", f"mine.yaml: line 1: a tab where YAML wants spaces{ONE_A_LINE}"),
    (
        "epochs: !!python/object/apply:os.system [x]",
        f"mine.yaml: line 1: the tag !!python/object/apply:os.system {PLAIN}",
    ),
    (
        "epochs: !!python/name:os.system",
        f"mine.yaml: line 1: the tag !!python/name:os.system {PLAIN}",
    ),
    ("epochs: !!int '3'", f"mine.yaml: line 1: the tag !!int {PLAIN}"),
    ("epochs: !mine 3", f"mine.yaml: line 1: the tag !mine {PLAIN}"),
    ("widths: !!set {1, 2}", f"mine.yaml: line 1: the tag !!set {PLAIN}"),
    ("<<: {epochs: 1}", f"mine.yaml: '<<' is not a parameter name{NAME}"),
    ("epochs: " + "9" * 500, f"mine.yaml: line 1: a number of 500 characters is too long{ONE_A_LINE}"),
    (
        "widths: &a [1]\nseeds: *a",
        f"mine.yaml: line 2: aliases (*name) are not allowed: write the value out{ONE_A_LINE}",
    ),
    (
        "widths: &a [*a]",
        f"mine.yaml: line 1: aliases (*name) are not allowed: write the value out{ONE_A_LINE}",
    ),
    ("- 1\n- 2", f"mine.yaml: holds [1, 2] (list){ONE_A_LINE}"),
    ("epochs", f"mine.yaml: holds 'epochs' (text){ONE_A_LINE}"),
    ("3: 1", f"mine.yaml: line 1: the name '3' is not text{ONE_A_LINE}"),
    ("[a]: 1", f"mine.yaml: line 1: the name 'a sequence' is not text{ONE_A_LINE}"),
    ("os.system(1): 1", f"mine.yaml: 'os.system(1)' is not a parameter name{NAME}"),
    ("'x = 1; import os': 1", f"mine.yaml: 'x = 1; import os' is not a parameter name{NAME}"),
    ("epochs: 1\n---\nepochs: 2", f"mine.yaml: line 2: but found another document{ONE_A_LINE}"),
    ("epochs: [1", f"mine.yaml: line 1: expected ',' or ']', but got '<stream end>'{ONE_A_LINE}"),
    ("[" * 2000, f"mine.yaml: nested too deeply{ONE_A_LINE}"),
]


@pytest.mark.parametrize("text, line", BAD_FILES, ids=named(BAD_FILES))
def test_a_file_that_is_no_plain_mapping_is_refused_in_one_line(tmp_path, text, line):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ParameterError) as caught:
        read_params_file(path)
    assert str(caught.value) == line


def test_a_missing_file_and_foreign_bytes_are_refused_in_one_line(tmp_path):
    with pytest.raises(ParameterError, match=r"^none.yaml: cannot be read: .*No such file.*; allowed: one"):
        read_params_file(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"label: \xe9\n")
    with pytest.raises(ParameterError, match=r"^latin.yaml: cannot be read: 'utf-8' codec .*; allowed: one"):
        read_params_file(tmp_path / "latin.yaml")
