"""How glue writes names, numbers, times and errors."""

import pandas as pd
import pytest

from ntkd_lib.chapters.classification.page import of_labels
from ntkd_lib.chapters.fabrication.page import share_of
from ntkd_lib.chapters.optical_students.masks import car_rows
from ntkd_lib.lab import worker
from ntkd_lib.lab.digest import canonical_json, changes, plain
from ntkd_lib.lab.progress import duration
from ntkd_lib.lab.provenance import scrub
from ntkd_lib.lab.search import SearchedMethod, settings_text, space_rows
from ntkd_lib.lab.trials import trial_name
from ntkd_lib.pipeline.docstrings import formulas_as_directives, named_defaults
from ntkd_lib.pipeline.errors import nearest, one_line
from ntkd_lib.pipeline.scrub import sanitise, without_machine
from ntkd_lib.show.numbers import with_minus


@pytest.mark.parametrize(
    "write, value, text",
    [
        (of_labels, 0.1, ", 10 % of labels"),
        (of_labels, 1, ""),
        (duration, 4.2, "4 s"),
        (duration, 200.0, "3 min 20 s"),
        (duration, 7500.0, "2 h 5 min"),
        (settings_text, {"lr": 0.00251, "shift": 2.0}, "lr 0.00251, shift 2"),
        (worker.one_line, ValueError("bad\n  shape"), "ValueError: bad shape"),
        (canonical_json, {"b": (1, 2.0), "a": None}, '{"a":null,"b":[1,2.0]}'),
        (
            scrub,
            ["/home/ada/.venv/bin/ntkd", "run", "-p", "seeds=[0, 1]", "--scheduler=tcp://10.0.0.7:8786"],
            "ntkd run -p 'seeds=[0, 1]' --scheduler=tcp://...",
        ),
        (one_line, "  first   and second ", "first and second"),
        (with_minus, "-0.5 to -0.1, by least-squares", "−0.5 to −0.1, by least-squares"),
        (
            named_defaults,
            "(quality=<function psnr at 0x7f1e>, curve=<factory>)",
            "(quality=psnr, curve=factory)",
        ),
        (formulas_as_directives, "$$a = b$$ with $b$", ".. math::\n\n   a = b\n\n with :math:`b`"),
    ],
)
def test_glue_writes_as_people_do(write, value, text):
    assert write(value).strip("\n") == text


def test_methods_of_one_space_share_a_row():
    methods = [SearchedMethod(name, name, {"lr": (0.1, 1.0, "log")}) for name in "ab"]
    assert space_rows(methods) == [("a; b", "lr 0.1 to 1 (log)")]


def test_a_trial_is_named_by_its_settings():
    name = "ntkd.tuning.raw.steps_4.weight_0.1.validation"
    assert trial_name("ntkd.tuning.raw", {"steps": 4, "weight": 0.1}) == name


def test_pages_hold_neither_machines_nor_scripts():
    assert without_machine("<A at 0x7f00deadbeef> in /home/eve/x", {}) == "<A at 0x…> in ~/x"
    assert sanitise("<img src=x onerror=alert(1)>") == ('<img src="x">', "<img onerror src>")


def test_hashes_are_compared_by_name():
    moved = [("a", "missing"), ("b", "changed"), ("c", "added")]
    assert list(changes({"a": "1", "b": "2"}, {"b": "3", "c": "4"})) == moved
    assert plain({"sizes": (1, 2)}) == {"sizes": [1, 2]}


def test_images_are_split_by_car():
    assert car_rows(("a", "a", "b", "c"), 2).tolist() == [0, 1, 3]


def test_a_name_is_suggested():
    assert nearest("01_ntdk", ["01_ntkd", "02_seg"]) == "; did you mean '01_ntkd'?"


def test_shares_are_of_what_was_lost():
    assert share_of(pd.Series([95.1]), 89.2, 97.3).round().tolist() == [73.0]
    assert share_of(pd.Series([95.1]), 97.3, 97.3).isna().all()
