import random
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntkd_lib.lab.seeds import derive_seed, deterministic


@pytest.fixture
def _torch_as_before():
    threads = torch.get_num_threads()
    yield
    torch.use_deterministic_algorithms(False)
    torch.set_num_threads(threads)


@given(st.text(), st.integers())
def test_seeds_are_in_range_and_repeat(name, number):
    assert 0 <= derive_seed(name, number) < 2**31
    assert derive_seed(name, number) == derive_seed(name, number)


def test_seeds_of_neighbours_differ():
    seeds = {derive_seed(name, number) for name in ("teacher", "student") for number in range(500)}
    assert len(seeds) == 1000


def test_a_seed_is_the_same_in_another_process():
    code = "from ntkd_lib.lab.seeds import derive_seed; print(derive_seed('mnist', 3))"
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONHASHSEED": "7"}, capture_output=True, text=True
    )
    assert int(done.stdout) == derive_seed("mnist", 3)


@pytest.mark.usefixtures("_torch_as_before")
def test_everything_random_repeats():
    def draw():
        deterministic(5)
        legacy = np.random.rand(3).tolist()  # noqa: NPY002 - the state that libraries draw from
        return torch.rand(3).tolist(), legacy, random.random()

    assert draw() == draw()
    assert torch.are_deterministic_algorithms_enabled()
    assert torch.get_num_threads() == 1
