import math

import pytest

from ntkd_lib.lab.parameters import ParameterError, parse_assignment
from tests.lab.demo import (
    EPOCHS,
    LABEL,
    METHOD,
    NAMES,
    NOTEBOOK,
    RATE,
    SEED,
    SEEDS,
    SHARE,
    WIDTHS,
    make_project,
    named,
    refused,
    unknown,
)

SMALL_IE = "\N{CYRILLIC SMALL LETTER IE}"
WIDE_S = "\N{FULLWIDTH LATIN SMALL LETTER S}"
SMALL_ES = "\N{CYRILLIC SMALL LETTER ES}"
NO_NAME = "is not a parameter name"


@pytest.fixture(autouse=True)
def params(tmp_path, monkeypatch):
    return make_project(tmp_path, monkeypatch)


# name, value, the line after "01_demo: "
BAD_VALUES = [
    # unknown names
    ("learing_rate", 0.5, unknown("learing_rate", 0.5, "learning_rate")),
    ("lr", 0.5, unknown("lr", 0.5, "learning_rate")),
    ("Epochs", 3, unknown("Epochs", 3, "epochs")),
    ("epoch", 3, unknown("epoch", 3, "epochs")),
    ("seedz", [1], unknown("seedz", [1], "seed")),
    ("qqqq", "x", unknown("qqqq", "'x'", None)),
    ("__class__", 1, unknown("__class__", 1, None)),
    (
        "learning-rate",
        0.5,
        f"'learning-rate' is not a parameter name (value 0.5); nearest: learning_rate; allowed: {NAMES}",
    ),
    (
        "os.system('x')",
        1,
        f"\"os.system('x')\" is not a parameter name (value 1); allowed: {NAMES}",
    ),
    ("", 1, f"'' is not a parameter name (value 1); allowed: {NAMES}"),
    ("lambda", 1, f"'lambda' is not a parameter name (value 1); allowed: {NAMES}"),
    (
        f"{SMALL_IE}pochs",
        3,
        (
            f"'{SMALL_IE}pochs' {NO_NAME} (it has CYRILLIC SMALL LETTER IE, U+0435) (value 3);"
            f" nearest: epochs; allowed: {NAMES}"
        ),
    ),
    (
        f"{WIDE_S}eed",
        3,
        (
            f"'{WIDE_S}eed' {NO_NAME} (it has FULLWIDTH LATIN SMALL LETTER S, U+FF53) (value 3);"
            f" nearest: seed; allowed: {NAMES}"
        ),
    ),
    # wrong types
    ("epochs", "10", f"epochs = '10' (text) is not allowed; allowed: {EPOCHS}; write 10"),
    ("epochs", "ten", f"epochs = 'ten' (text) is not allowed; allowed: {EPOCHS}"),
    ("epochs", "", f"epochs = '' (text) is not allowed; allowed: {EPOCHS}"),
    ("epochs", True, f"epochs = true (boolean) is not allowed; allowed: {EPOCHS}"),
    ("epochs", 3.0, f"epochs = 3.0 (number) is not allowed; allowed: {EPOCHS}; write 3"),
    ("epochs", 3.5, f"epochs = 3.5 (number) is not allowed; allowed: {EPOCHS}"),
    ("epochs", None, f"epochs = null (nothing) is not allowed; allowed: {EPOCHS}"),
    ("epochs", [3], f"epochs = [3] (list) is not allowed; allowed: {EPOCHS}; write 3"),
    ("epochs", [3, 4], f"epochs = [3, 4] (list) is not allowed; allowed: {EPOCHS}"),
    ("epochs", {}, f"epochs = {{}} (mapping) is not allowed; allowed: {EPOCHS}"),
    ("epochs", b"3", f"epochs = b'3' (bytes) is not allowed; allowed: {EPOCHS}"),
    ("epochs", "1\n2", f"epochs = '1\\n2' (text) is not allowed; allowed: {EPOCHS}"),
    (
        "epochs",
        "\N{FULLWIDTH DIGIT THREE}",
        "epochs = '３' (text) is not allowed; allowed: " + EPOCHS + "; write 3",
    ),
    ("epochs", "\N{MINUS SIGN}3", "epochs = '−3' (text) is not allowed; allowed: " + EPOCHS),
    ("learning_rate", "1e-3", f"learning_rate = '1e-3' (text) is not allowed; allowed: {RATE}; write 0.001"),
    ("learning_rate", True, f"learning_rate = true (boolean) is not allowed; allowed: {RATE}"),
    ("learning_rate", [0.1], f"learning_rate = [0.1] (list) is not allowed; allowed: {RATE}; write 0.1"),
    ("learning_rate", "0,1", f"learning_rate = '0,1' (text) is not allowed; allowed: {RATE}"),
    ("learning_rate", 1j, f"learning_rate = 1j (complex) is not allowed; allowed: {RATE}"),
    ("method", "ntk", f"method = 'ntk' (text) is not allowed; allowed: {METHOD}; nearest: ntkd"),
    ("method", "NTKD", f"method = 'NTKD' (text) is not allowed; allowed: {METHOD}; nearest: ntkd"),
    ("method", "boosting", f"method = 'boosting' (text) is not allowed; allowed: {METHOD}"),
    ("method", None, f"method = null (nothing) is not allowed; allowed: {METHOD}"),
    ("widths", 64, f"widths = 64 (whole number) is not allowed; allowed: {WIDTHS}; write [64]"),
    ("widths", (64, 32), f"widths = (64, 32) (tuple) is not allowed; allowed: {WIDTHS}; write [64, 32]"),
    ("widths", "64,32", f"widths = '64,32' (text) is not allowed; allowed: {WIDTHS}; write [64,32]"),
    ("widths", [64, "32"], f"widths[1] = '32' (text) is not allowed; allowed: {WIDTHS}"),
    ("widths", [64, True], f"widths[1] = true (boolean) is not allowed; allowed: {WIDTHS}"),
    ("widths", [[64]], f"widths[0] = [64] (list) is not allowed; allowed: {WIDTHS}"),
    ("tune", "no", "tune = 'no' (text) is not allowed; allowed: true or false; write false"),
    ("tune", "True", "tune = 'True' (text) is not allowed; allowed: true or false; write true"),
    ("tune", 1, "tune = 1 (whole number) is not allowed; allowed: true or false"),
    ("label", 3, f"label = 3 (whole number) is not allowed; allowed: {LABEL}"),
    # not finite, out of range, empty, too large
    ("learning_rate", math.nan, f"learning_rate = nan (not a finite number) is not allowed; allowed: {RATE}"),
    ("learning_rate", math.inf, f"learning_rate = inf (not a finite number) is not allowed; allowed: {RATE}"),
    (
        "learning_rate",
        -math.inf,
        f"learning_rate = -inf (not a finite number) is not allowed; allowed: {RATE}",
    ),
    ("epochs", math.nan, f"epochs = nan (not a finite number) is not allowed; allowed: {EPOCHS}"),
    ("share", math.nan, f"share = nan (not a finite number) is not allowed; allowed: {SHARE}"),
    ("learning_rate", "nan", f"learning_rate = 'nan' (text) is not allowed; allowed: {RATE}"),
    ("epochs", 0, f"epochs = 0 (whole number) is not allowed; allowed: {EPOCHS}"),
    ("epochs", 501, f"epochs = 501 (whole number) is not allowed; allowed: {EPOCHS}"),
    ("epochs", -1, f"epochs = -1 (whole number) is not allowed; allowed: {EPOCHS}"),
    ("learning_rate", 0, f"learning_rate = 0 (whole number) is not allowed; allowed: {RATE}"),
    ("learning_rate", -0.0, f"learning_rate = -0.0 (number) is not allowed; allowed: {RATE}"),
    ("learning_rate", 1.0000001, f"learning_rate = 1.0000001 (number) is not allowed; allowed: {RATE}"),
    ("share", -0.1, f"share = -0.1 (number) is not allowed; allowed: {SHARE}"),
    ("widths", [], f"widths = [] (list) is not allowed; allowed: {WIDTHS}"),
    ("widths", [1] * 6, f"widths = [1, 1, 1, 1, 1, 1] (list) is not allowed; allowed: {WIDTHS}"),
    ("label", "", f"label = '' (text) is not allowed; allowed: {LABEL}"),
    (
        "epochs",
        10**5000,
        f"epochs = a number of about 5001 digits (whole number) is not allowed; allowed: {EPOCHS}",
    ),
    (
        "learning_rate",
        10**400,
        f"learning_rate = a number of about 401 digits (whole number) is not allowed; allowed: {RATE}",
    ),
    ("epochs", "9" * 5000, f"epochs = '{'9' * 56}... (text) is not allowed; allowed: {EPOCHS}"),
    (
        "widths",
        [10**5000] * 6,
        f"widths = a value too large to print (list) is not allowed; allowed: {WIDTHS}",
    ),
    # seeds
    ("seeds", [], f"seeds = [] (list) is not allowed; allowed: {SEEDS}"),
    ("seeds", 3, f"seeds = 3 (whole number) is not allowed; allowed: {SEEDS}; write [3]"),
    ("seeds", [0, 1, 0], f"seeds = [0, 1, 0] (list) is not allowed; allowed: {SEEDS}; 0 is given twice"),
    ("seeds", [0, -1], f"seeds[1] = -1 (whole number) is not allowed; allowed: {SEEDS}"),
    ("seeds", [2**31], f"seeds[0] = 2147483648 (whole number) is not allowed; allowed: {SEEDS}"),
    ("seeds", [math.nan], f"seeds[0] = nan (not a finite number) is not allowed; allowed: {SEEDS}"),
    ("seeds", "[0, 1]", f"seeds = '[0, 1]' (text) is not allowed; allowed: {SEEDS}; write [0, 1]"),
    ("seed", -1, f"seed = -1 (whole number) is not allowed; allowed: {SEED}"),
    ("seed", 1.0, f"seed = 1.0 (number) is not allowed; allowed: {SEED}; write 1"),
    ("seed", False, f"seed = false (boolean) is not allowed; allowed: {SEED}"),
    # the tier is not a parameter like the others
    (
        "tier",
        "smoke",
        (
            "tier = 'smoke' does not fit the chosen tier cpu; allowed: one of smoke, cpu, paper,"
            " chosen by --tier"
        ),
    ),
]


@pytest.mark.parametrize("name, value, line", BAD_VALUES, ids=named(BAD_VALUES))
def test_a_bad_value_is_refused_in_one_line(name, value, line):
    text = refused({name: value})
    assert text == f"{NOTEBOOK}: {line}"
    assert text.isprintable()


# what is typed after -p, the line after "01_demo: "
BAD_ASSIGNMENTS = [
    ("learning_rate=NaN", f"learning_rate = nan (not a finite number) is not allowed; allowed: {RATE}"),
    (
        "learning_rate=-Infinity",
        f"learning_rate = -inf (not a finite number) is not allowed; allowed: {RATE}",
    ),
    ("learning_rate=1e999", f"learning_rate = inf (not a finite number) is not allowed; allowed: {RATE}"),
    ("learning_rate=nan", f"learning_rate = 'nan' (text) is not allowed; allowed: {RATE}"),
    ("learning_rate=.5", f"learning_rate = '.5' (text) is not allowed; allowed: {RATE}; write 0.5"),
    ("learning_rate=0.1,0.2", f"learning_rate = '0.1,0.2' (text) is not allowed; allowed: {RATE}"),
    ('learning_rate="0.1"', f"learning_rate = '0.1' (text) is not allowed; allowed: {RATE}; write 0.1"),
    ("epochs=1_000", f"epochs = '1_000' (text) is not allowed; allowed: {EPOCHS}; write 1000"),
    ("epochs=012", f"epochs = '012' (text) is not allowed; allowed: {EPOCHS}; write 12"),
    ("epochs=1:30", f"epochs = '1:30' (text) is not allowed; allowed: {EPOCHS}"),
    ("epochs=1e1", f"epochs = 10.0 (number) is not allowed; allowed: {EPOCHS}; write 10"),
    ("epochs=", f"epochs = '' (text) is not allowed; allowed: {EPOCHS}"),
    ("epochs=null", f"epochs = null (nothing) is not allowed; allowed: {EPOCHS}"),
    (
        "epochs=__import__('os').system('x')",
        f"epochs = \"__import__('os').system('x')\" (text) is not allowed; allowed: {EPOCHS}",
    ),
    ("epochs=3; import os", f"epochs = '3; import os' (text) is not allowed; allowed: {EPOCHS}"),
    ("epochs=" + "[" * 100_000, f"epochs = '{'[' * 56}... (text) is not allowed; allowed: {EPOCHS}"),
    ("epochs=" + "9" * 5000, f"epochs = '{'9' * 56}... (text) is not allowed; allowed: {EPOCHS}"),
    ("tune=no", "tune = 'no' (text) is not allowed; allowed: true or false; write false"),
    ("tune=True", "tune = 'True' (text) is not allowed; allowed: true or false; write true"),
    ("seeds=0,1", f"seeds = '0,1' (text) is not allowed; allowed: {SEEDS}; write [0,1]"),
    ("seeds=[1,1]", f"seeds = [1, 1] (list) is not allowed; allowed: {SEEDS}; 1 is given twice"),
    ("method=<script>", f"method = '<script>' (text) is not allowed; allowed: {METHOD}"),
    ("learing_rate=0.5", unknown("learing_rate", 0.5, "learning_rate")),
]


@pytest.mark.parametrize("assignment, line", BAD_ASSIGNMENTS, ids=named(BAD_ASSIGNMENTS))
def test_a_bad_assignment_is_refused_in_one_line(assignment, line):
    name, value = parse_assignment(assignment)
    assert refused({name: value}) == f"{NOTEBOOK}: {line}"


FORM = "; allowed: letters, digits and _, in NAME=VALUE"
BAD_FORMS = [
    ("epochs", "'epochs' has no value; allowed: NAME=VALUE, such as seeds=[0,1,2]"),
    ("", "'' has no value; allowed: NAME=VALUE, such as seeds=[0,1,2]"),
    ("=3", f"'' is not a parameter name{FORM}"),
    (" epochs=3", f"' epochs' is not a parameter name{FORM}"),
    ("a.b=3", f"'a.b' is not a parameter name{FORM}"),
    ("__import__('os')=1", f"\"__import__('os')\" is not a parameter name{FORM}"),
    ("x\nimport os=1", f"'x\\nimport os' is not a parameter name{FORM}"),
    ("import=1", f"'import' is not a parameter name{FORM}"),
    (
        f"{SMALL_ES}eed=1",
        f"'{SMALL_ES}eed' is not a parameter name (it has CYRILLIC SMALL LETTER ES, U+0441)" + FORM,
    ),
    ('x={"a": 1, "a": 2}', "x: 'a' is given twice; allowed: each name once"),
]


@pytest.mark.parametrize("assignment, line", BAD_FORMS, ids=named(BAD_FORMS))
def test_a_malformed_assignment_is_refused_in_one_line(assignment, line):
    with pytest.raises(ParameterError) as caught:
        parse_assignment(assignment)
    assert str(caught.value) == line
