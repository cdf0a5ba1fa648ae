"""The validation part: disjoint, complete, and the same for all who share a seed."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntkd_lib.data.load import train_validation_split


@given(st.integers(2, 200), st.integers(0, 2**31 - 1), st.floats(0.01, 0.99))
def test_parts_are_disjoint_complete_sorted_and_never_empty(n, seed, share):
    train, validation = train_validation_split(n, seed, share)
    assert sorted([*train.tolist(), *validation.tolist()]) == list(range(n))
    assert train.tolist() == sorted(train.tolist())
    assert validation.tolist() == sorted(validation.tolist())
    assert len(train)
    assert len(validation) == min(max(round(n * share), 1), n - 1)


def test_the_seed_decides_and_the_global_generator_does_not():
    torch.manual_seed(0)
    first = train_validation_split(1000, 3)[1]
    torch.manual_seed(1)
    assert torch.equal(train_validation_split(1000, 3)[1], first)
    assert not torch.equal(train_validation_split(1000, 4)[1], first)
    assert len(first) == 100


@pytest.mark.parametrize(
    "n, share", [(1, 0.1), (0, 0.1), (10, 0.0), (10, 1.0), (10, -0.1), (10, float("nan"))]
)
def test_impossible_splits_are_refused(n, share):
    with pytest.raises(
        ValueError, match=rf"^cannot split n={n} with share={share}; allowed: n >= 2 and 0 < share < 1$"
    ):
        train_validation_split(n, 0, share)
