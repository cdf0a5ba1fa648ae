"""Choosing points: orders that are known, chances that hold, and features in place of kernels."""

import pytest
import torch

from ntkd_lib.chapters.distilled.studies.streamed import leverage_of
from ntkd_lib.dntk.selection import (
    cluster_centres,
    farthest_points,
    leverage_scores,
    pivoted_cholesky,
    sample_by,
)


def points(count: int = 40, size: int = 6, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_farthest_points_on_a_line() -> None:
    line = torch.tensor([[0.0], [1.0], [4.0], [10.0]])
    assert farthest_points(line @ line.T, 4).tolist() == [3, 0, 2, 1]


@pytest.mark.parametrize("count", [0, 5])
def test_more_points_than_there_are_or_none_are_refused(count: int) -> None:
    with pytest.raises(ValueError, match=rf"^count: got {count}, allowed: 1 to 4, whole$"):
        farthest_points(torch.eye(4), count)


def test_cluster_centres_take_one_point_of_each_group_and_none_twice() -> None:
    groups = torch.arange(30) % 3
    phi = 10 * torch.eye(3, 6, dtype=torch.float64)[groups] + 0.1 * points(30)
    chosen = cluster_centres(phi @ phi.T, 3)
    assert sorted(groups[chosen].tolist()) == [0, 1, 2]
    assert len(set(cluster_centres(phi @ phi.T, 12).tolist())) == 12


def test_leverage_scores_are_those_of_the_hat_matrix_from_kernel_and_from_features() -> None:
    phi = points()
    theta = phi @ phi.T
    shift = 1e-3 * theta.diagonal().mean() * torch.eye(40, dtype=torch.float64)
    hat = theta @ torch.linalg.inv(theta + shift)
    torch.testing.assert_close(leverage_scores(theta), hat.diagonal(), rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(leverage_of(phi), hat.diagonal(), rtol=1e-6, atol=1e-9)


def test_pivots_follow_what_is_left_and_reach_the_rank() -> None:
    phi = points(50, 5)
    chosen = pivoted_cholesky(phi, 20, seed=0)
    assert len(chosen) == 5, "a kernel of rank 5 is spanned by 5 points"
    kept = phi[chosen]
    rebuilt = (phi @ kept.T) @ torch.linalg.inv(kept @ kept.T) @ (kept @ phi.T)
    torch.testing.assert_close(rebuilt, phi @ phi.T, rtol=1e-6, atol=1e-8)


def test_first_pivots_come_in_proportion_to_the_diagonal() -> None:
    phi = torch.tensor([[1.0], [3.0]])
    first = [pivoted_cholesky(phi, 1, seed)[0].item() for seed in range(400)]
    assert sum(first) / 400 == pytest.approx(0.9, abs=0.05)


def test_points_are_drawn_without_replacement_and_by_their_scores() -> None:
    drawn = sample_by(torch.tensor([0.0, 1.0, 1.0, 0.0]), 2, seed=3)
    assert sorted(drawn.tolist()) == [1, 2]
