"""Ridge regression from random rows of a kernel, against the dense solution."""

import re

import numpy as np
import pytest
import torch

from ntkd_lib.ntk.block_ridge import ridge_by_blocks

N = 60


def setting() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((N, 3)), rng.standard_normal((N, 2))
    return 7 * np.exp(-((x[:, None] - x) ** 2).sum(2) / 6), y


@pytest.mark.parametrize(("block", "rank"), [(N, N), (20, 10), (7, 1)])
def test_agrees_with_the_dense_solution(block: int, rank: int) -> None:
    theta, y = setting()
    coefficients = ridge_by_blocks(theta.__getitem__, y, 7.0, block=block, rank=rank, tolerance=1e-9, seed=0)
    np.testing.assert_allclose(coefficients, np.linalg.solve(theta + 7 * np.eye(N), y), atol=1e-7)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("tolerance", [1e-2, 1e-6])
def test_few_targets_that_are_not_zero_are_met(seed: int, tolerance: float) -> None:
    rng = np.random.default_rng(seed)
    z, y = rng.standard_normal((400, 20)), np.zeros((400, 1))
    theta, y[rng.integers(400)] = z @ z.T / 20, 1
    reads: list[int] = []

    def rows(places: np.ndarray) -> np.ndarray:
        reads.append(len(places))
        return theta[places]

    coefficients = ridge_by_blocks(rows, y, 0.5, block=10, rank=10, tolerance=tolerance, seed=seed)
    assert np.linalg.norm(theta @ coefficients + 0.5 * coefficients - y) <= tolerance
    assert sum(reads) < 100 * 400


def test_targets_and_rows_may_be_tensors() -> None:
    theta, y = setting()
    options = {"block": 20, "rank": 10, "seed": 0}
    tensor = torch.from_numpy(theta)
    coefficients = ridge_by_blocks(tensor.__getitem__, torch.from_numpy(y), 7.0, **options)
    np.testing.assert_array_equal(coefficients, ridge_by_blocks(theta.__getitem__, y, 7.0, **options))


def test_zero_targets_have_zero_coefficients() -> None:
    theta, y = setting()
    assert not ridge_by_blocks(theta.__getitem__, 0 * y, 7.0, block=20, seed=0, rank=5).any()


def test_only_the_rows_of_one_block_are_read_at_a_time() -> None:
    theta, y = setting()
    blocks: list[np.ndarray] = []

    def rows(places: np.ndarray) -> np.ndarray:
        blocks.append(places)
        return theta[places]

    ridge_by_blocks(rows, y, 7.0, block=10, rank=5, tolerance=1e-2, seed=3)
    assert {len(np.unique(places)) for places in blocks} == {10}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"targets": np.full((N, 1), np.inf)},
            "targets: got shape (60, 1), needs finite numbers of shape (n, c)",
        ),
        ({"block": 0}, "block: got 0, allowed are 1 to 60"),
        ({"rank": 11}, "rank: got 11, allowed are 1 to the block's 10"),
        ({"ridge": 0.0}, "ridge: got 0.0, needs to be above 0"),
        ({"rows": lambda places: np.ones((len(places), 3))}, "rows: got shape (10, 3), needs (10, 60)"),
        (
            {"rows": lambda places: np.zeros((len(places), N))},
            "rows: got a mean diagonal of 0, needs to be above 0",
        ),
        (
            {"rows": lambda places: (np.eye(N) - 0.5)[places]},
            "rows: got a block with negative eigenvalues, needs those of a kernel",
        ),
    ],
)
def test_what_cannot_be_solved_is_refused(options: dict, message: str) -> None:
    theta, y = setting()
    request = {"rows": theta.__getitem__, "targets": y, "ridge": 1.0, "block": 10, "rank": 5, **options}
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        ridge_by_blocks(seed=0, **request)


def test_an_unmet_tolerance_is_an_error() -> None:
    theta, y = setting()
    with pytest.raises(RuntimeError, match=r"after 1 passes, wanted 1e-06; raise the ridge, the rank"):
        ridge_by_blocks(theta.__getitem__, y, 1e-3, block=10, rank=5, passes=1, seed=0)
