import pytest

from ntkd_lib.lab.parameters import ParameterError, read_params_file
from tests.lab.demo import (
    EPOCHS,
    LABEL,
    NOTEBOOK,
    RATE,
    SEEDS,
    make_project,
    named,
    refused,
    surprise,
    unknown,
)


@pytest.fixture(autouse=True)
def params(tmp_path, monkeypatch):
    return make_project(tmp_path, monkeypatch)


# a line of YAML that is well formed, and what is wrong with it
YAML_SURPRISES = [
    ("tune: no", f"tune = no is not allowed: {surprise('no', 'false', 'false')}; allowed: true or false"),
    ("tune: On", f"tune = On is not allowed: {surprise('On', 'true', 'true')}; allowed: true or false"),
    ("label: off", f"label = off is not allowed: {surprise('off', 'false', 'false')}; allowed: {LABEL}"),
    (
        "learning_rate: 1e-3",
        "learning_rate = 1e-3 is not allowed: YAML 1.1 reads 1e-3 as text: write 1.0e-3; allowed: " + RATE,
    ),
    (
        "learning_rate: 5E3",
        "learning_rate = 5E3 is not allowed: YAML 1.1 reads 5E3 as text: write 5.0e+3; allowed: " + RATE,
    ),
    (
        "learning_rate: 1_0.5",
        f"learning_rate = 1_0.5 is not allowed: {surprise('1_0.5', '10.5', '10.5')}; allowed: {RATE}",
    ),
    ("epochs: 012", f"epochs = 012 is not allowed: {surprise('012', '10', '12')}; allowed: {EPOCHS}"),
    ("epochs: 0x10", f"epochs = 0x10 is not allowed: {surprise('0x10', '16', '16')}; allowed: {EPOCHS}"),
    ("epochs: 0b11", f"epochs = 0b11 is not allowed: {surprise('0b11', '3', '3')}; allowed: {EPOCHS}"),
    ("epochs: 1:30", f"epochs = 1:30 is not allowed: {surprise('1:30', '90', '90')}; allowed: {EPOCHS}"),
    (
        "epochs: 1_000",
        f"epochs = 1_000 is not allowed: {surprise('1_000', '1000', '1000')}; allowed: {EPOCHS}",
    ),
    ("seeds: [0, 010]", f"seeds[1] = 010 is not allowed: {surprise('010', '8', '10')}; allowed: {SEEDS}"),
    (
        "label: 2026-01-02",
        (
            "label = 2026-01-02 is not allowed: YAML 1.1 reads 2026-01-02 as a date: write"
            f" '2026-01-02' for text; allowed: {LABEL}"
        ),
    ),
    (
        "epochs: " + "9" * 500,
        f"epochs = 999999999999... is not allowed: a number of 500 characters is too long; allowed: {EPOCHS}",
    ),
    ("learning_rate: .nan", f"learning_rate = nan (not a finite number) is not allowed; allowed: {RATE}"),
    ("learning_rate: -.inf", f"learning_rate = -inf (not a finite number) is not allowed; allowed: {RATE}"),
    ("learning_rate: '1e-3'", f"learning_rate = '1e-3' (text) is not allowed; allowed: {RATE}; write 0.001"),
    ("learning_rate: 1.0e+400", f"learning_rate = inf (not a finite number) is not allowed; allowed: {RATE}"),
    ("epochs: 08", f"epochs = '08' (text) is not allowed; allowed: {EPOCHS}; write 8"),
    ("epochs:", f"epochs = null (nothing) is not allowed; allowed: {EPOCHS}"),
    ("epochs: ~", f"epochs = null (nothing) is not allowed; allowed: {EPOCHS}"),
    ("tune: y", "tune = 'y' (text) is not allowed; allowed: true or false"),
    ("learing_rate: 1e-3", unknown("learing_rate", "1e-3", "learning_rate")),
]


@pytest.mark.parametrize("text, line", YAML_SURPRISES, ids=named(YAML_SURPRISES))
def test_a_surprise_of_yaml_is_explained_in_one_line(tmp_path, text, line):
    path = tmp_path / "mine.yaml"
    path.write_text(text + "\n")
    assert refused(read_params_file(path)) == f"{NOTEBOOK}: {line}"


ONE_A_LINE = "; allowed: one `name: value` a line"
PLAIN = "is not allowed: only plain data is" + ONE_A_LINE
NAME = "; allowed: letters, digits and _"
BAD_FILES = [
    ("epochs: 1\nepochs: 2", f"mine.yaml, line 2: epochs is given twice{ONE_A_LINE}"),
    ("epochs:\n\t- 1", f"mine.yaml: line 2: a tab where YAML wants spaces{ONE_A_LINE}"),
    ("\tepochs: 1", f"mine.yaml: line 1: a tab where YAML wants spaces{ONE_A_LINE}"),
    (
        "epochs: !!python/object/apply:os.system [x]",
        f"mine.yaml, line 1: epochs: the tag !!python/object/apply:os.system {PLAIN}",
    ),
    (
        "epochs: !!python/name:os.system",
        f"mine.yaml, line 1: epochs: the tag !!python/name:os.system {PLAIN}",
    ),
    ("epochs: !!int '3'", f"mine.yaml, line 1: epochs: the tag !!int {PLAIN}"),
    ("epochs: !mine 3", f"mine.yaml, line 1: epochs: the tag !mine {PLAIN}"),
    ("widths: !!set {1, 2}", f"mine.yaml, line 1: widths: the tag !!set {PLAIN}"),
    ("<<: {epochs: 1}", f"mine.yaml, line 1: the tag !!merge {PLAIN}"),
    (
        "widths: &a [1]\nseeds: *a",
        f"mine.yaml, line 1: seeds: aliases (*name) are not allowed: write the value out{ONE_A_LINE}",
    ),
    (
        "widths: &a [*a]",
        f"mine.yaml, line 1: widths[0]: aliases (*name) are not allowed: write the value out{ONE_A_LINE}",
    ),
    ("- 1\n- 2", f"mine.yaml: holds [1, 2] (list){ONE_A_LINE}"),
    ("epochs", f"mine.yaml: holds 'epochs' (text){ONE_A_LINE}"),
    ("no: 1", f"mine.yaml, line 1: the name 'no' is not text{ONE_A_LINE}"),
    ("3: 1", f"mine.yaml, line 1: the name '3' is not text{ONE_A_LINE}"),
    ("[a]: 1", f"mine.yaml, line 1: the name 'a sequence' is not text{ONE_A_LINE}"),
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
