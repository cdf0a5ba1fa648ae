"""Estimates from random signs: unbiased over all signs of a small kernel."""

from itertools import product

import pytest
import torch
from torch import Tensor, nn

from ntkd_lib.ntk.empirical import empirical_ntk
from ntkd_lib.ntk.estimators import (
    estimate_effective_rank,
    estimate_squared_norm,
    estimate_trace,
    sign_gram,
)
from ntkd_lib.ntk.operator import NTKOperator

KINDS = ("full", "trace", "pseudo")


def setting(n: int) -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()
    return model, torch.randn(n, 3).double()


def dense(model: nn.Module, x: Tensor, kind: str) -> Tensor:
    theta = empirical_ntk(model, x, kind=kind).detach()
    return theta.permute(0, 2, 1, 3).reshape(2 * len(x), -1) if kind == "full" else theta


@pytest.mark.parametrize("kind", KINDS)
def test_estimates_are_unbiased_over_all_signs(kind: str) -> None:
    model, x = setting(2 if kind == "full" else 3)
    theta = dense(model, x, kind)
    signs = torch.tensor(list(product((-1, 1), repeat=len(theta)))).T
    gram = NTKOperator(model, x, kind=kind, chunk=2).gram(signs)
    torch.testing.assert_close(gram, signs.T.double() @ theta @ signs.double())
    pairs = [gram[[a, b]][:, [a, b]] for a, b in product(range(signs.shape[1]), repeat=2)]
    for estimate, exact in ((estimate_trace, theta.trace()), (estimate_squared_norm, theta.square().sum())):
        mean = sum(estimate(pair) for pair in pairs) / len(pairs)
        assert mean == pytest.approx(float(exact), rel=1e-12)
    numerator = sum(float(pair[0, 0] * pair[1, 1]) for pair in pairs) / len(pairs)
    assert numerator == pytest.approx(float(theta.trace()) ** 2, rel=1e-12)


def test_many_probes_find_the_effective_rank() -> None:
    model, x = setting(6)
    theta = dense(model, x, "trace")
    rank = estimate_effective_rank(sign_gram(NTKOperator(model, x, kind="trace"), probes=400, seed=0))
    assert rank == pytest.approx(float(theta.trace() ** 2 / theta.square().sum()), rel=0.1)


def test_requests_without_an_estimate_are_refused() -> None:
    model, x = setting(2)
    with pytest.raises(ValueError, match=r"^probes: got 1, needs at least 2$"):
        sign_gram(NTKOperator(model, x), probes=1, seed=0)
    with pytest.raises(ValueError, match=r"^operator: got two batches, needs the kernel of one with itself$"):
        NTKOperator(model, x, x).gram(torch.ones(4, 1))


@pytest.mark.parametrize("gram", [torch.zeros(3, 3), 2 * torch.eye(2)], ids=["zero", "orthogonal signs"])
def test_a_squared_norm_of_zero_has_no_effective_rank(gram: torch.Tensor) -> None:
    with pytest.raises(ValueError, match=r"^gram: got a squared norm of 0, needs more probes or another"):
        estimate_effective_rank(gram)
