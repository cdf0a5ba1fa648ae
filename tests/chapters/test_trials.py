"""Trials of searches cover their spaces evenly, and share coordinates where they share a sequence."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ntkd_lib.lab.search import draw, place

LOG, LINEAR = (1e-4, 1e-1, "log"), (0.0, 2.0, "linear")


@pytest.mark.parametrize(
    ("bounds", "values"), [(LOG, (1e-4, 3.16e-3, 1e-1)), (LINEAR, (0.0, 1.0, 2.0))], ids=["log", "linear"]
)
def test_ends_and_middle_of_a_range(bounds, values):
    assert tuple(place(bounds, share) for share in (0, 0.5, 1)) == values


@settings(max_examples=20, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**31))
def test_a_sequence_puts_one_trial_into_each_part_of_every_range(seed):
    drawn = [draw({"lr": LOG, "weight": LINEAR}, seed, trial, points=4) for trial in range(4)]
    shares = {
        "lr": sorted((math.log10(one["lr"]) + 4) / 3 for one in drawn),
        "weight": sorted(one["weight"] / 2 for one in drawn),
    }
    for found in shares.values():
        for part, share in enumerate(found):
            assert part <= 4 * share + 0.02  # values have three significant digits
            assert part + 1 >= 4 * share - 0.02


def test_spaces_of_one_sequence_share_their_first_coordinates():
    small = draw({"lr": LOG}, 7, 2, points=4, dimensions=3)
    large = draw({"lr": LOG, "weight": LINEAR}, 7, 2, points=4, dimensions=3)
    assert large["lr"] == small["lr"]


def test_a_space_with_more_names_than_the_sequence_has_dimensions_is_refused():
    with pytest.raises(ValueError, match="zip"):
        draw({"lr": LOG, "weight": LINEAR}, 7, 0, points=4, dimensions=1)
