"""Score tables of notebooks 01 and 02: a single seed has neither interval nor standard deviation."""

import numpy as np
import pandas as pd
import pytest

from ntkd_lib.figures import ntkd_classification, segmentation_tables

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


@pytest.mark.parametrize("page", [ntkd_classification, segmentation_tables])
def test_only_several_seeds_have_a_spread(page) -> None:
    several = page.score_table(pd.DataFrame([ROW]))
    assert "[91.50, 92.50]" in several
    assert ">0.40</td>" in several
    single = page.score_table(pd.DataFrame([ROW | {"low": 92.0, "high": 92.0, "std": np.nan}]))
    assert "[" not in single
    assert "92" in single
