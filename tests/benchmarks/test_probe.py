"""The benchmark of the probe's cost."""

import pytest

from benchmarks import probe
from benchmarks.entk_ways import task


def test_ratio_is_that_of_the_medians() -> None:
    values = probe.ratio(task("LeNet", 3, "trace"), rounds=1)
    assert values["ratio"] == pytest.approx(values["with"] / values["without"])
    assert values["without"] > 0
