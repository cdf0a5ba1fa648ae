"""Tables and answers of notebooks 01 and 02: a single seed has neither interval nor standard deviation."""

import numpy as np
import pandas as pd
import pytest

from ntkd_lib.chapters.classification.page import SCORES
from ntkd_lib.chapters.segmentation.page import STUDENTS
from ntkd_lib.show import dots, numbers
from ntkd_lib.show.columns import show_table
from tests.setup.project import ROOT, python_files

ROW = {
    "label": "labels only",
    "mean": 92.0,
    "low": 91.5,
    "high": 92.5,
    "std": 0.4,
    "boundary": 80.0,
    "paper": np.nan,
    "parameters": 1000,
    "seconds": 2.0,
}


@pytest.mark.parametrize("columns", [SCORES, STUDENTS])
def test_only_several_seeds_have_a_spread(columns) -> None:
    several = show_table(pd.DataFrame([ROW]), columns, "")
    assert "[91.50, 92.50]" in several
    assert ">0.40</td>" in several
    alone = pd.DataFrame([ROW | {"low": np.nan, "high": np.nan, "std": np.nan}])
    single = show_table(alone, columns, "")
    assert "[" not in single
    assert "92" in single


@pytest.mark.parametrize(
    "low, high, sign, text",
    [(-1.0, 2.0, "", "[−1.00, 2.00]"), (-1.0, 2.0, "+", "[−1.00, +2.00]"), (np.nan, np.nan, "", "–")],
)
def test_an_interval_in_a_table(low, high, sign, text) -> None:
    assert numbers.interval_text(low, high, sign) == text


def test_pages_print_no_bootstrap_interval() -> None:
    readers = {
        path.name
        for path in python_files("ntkd_lib/chapters", "ntkd_lib/show", "notebooks")
        if "bootstrap_interval" in (ROOT / path).read_text(encoding="utf-8")
    }
    assert readers <= {"page.py"}  # of notebook 05: a metric that is defined by the bootstrap
    assert "bootstrap_interval" in (ROOT / "ntkd_lib/chapters/overfitting/page.py").read_text()


def test_a_difference_of_a_single_seed_is_hollow_and_takes_no_side() -> None:
    gap = {"label": "", "mean": 0.3, "low": 0.3, "high": 0.3}
    axes = dots.draw_differences(pd.DataFrame([gap | {"seeds": 5}, gap | {"seeds": 1}]), "points").axes[0]
    several, single = (line for line in axes.lines if line.get_marker() == "o")
    assert several.get_color() == dots.GREEN
    assert (single.get_color(), single.get_markerfacecolor()) == (dots.BLUE, "none")
