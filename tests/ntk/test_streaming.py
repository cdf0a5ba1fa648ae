"""Kernels that are added up while one backward pass goes through the network."""

import weakref

import pytest
import torch
from torch import nn

from ntkd_lib.ntk import traces
from ntkd_lib.ntk.assembly import streamed_kernel
from ntkd_lib.ntk.empirical import empirical_ntk
from ntkd_lib.ntk.factors import Factor, Gradients
from ntkd_lib.ntk.kinds import KINDS
from ntkd_lib.ntk.layout import make_plan, two_samples
from ntkd_lib.ntk.structured import structured_factors, visit_factors
from tests.ntk.nets import build

BATCHED = (
    "dense",
    "lenet",
    "tied",
    "tied embedding",
    "embedding",
    "attention of dense layers",
    "other dimensions",
)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["tied", "convolutions", "attention of dense layers"])
def test_one_pass_gives_the_kernel_of_stored_factors(name: str, kind: str) -> None:
    model, x, y = build(name, 40, 3)
    model, x, y = model.double(), x[:20].double(), y.double()
    with torch.no_grad():
        for other in (None, y):
            streamed, tiled = (empirical_ntk(model, x, other, kind=kind, tile=t) for t in (None, 20))
            assert (streamed - tiled).norm() <= 1e-12 * tiled.norm()
        own = empirical_ntk(model, x, kind=kind)
        assert torch.equal(own, own.permute(1, 0, 3, 2) if kind == "full" else own.mT)


@pytest.mark.parametrize("name", BATCHED)
def test_networks_of_plain_layers_need_no_second_pass(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, x, _ = build(name)
    monkeypatch.setattr(traces, "AT_ONCE", 0)
    monkeypatch.delattr(traces, "all_signals")
    with torch.no_grad():
        assert structured_factors(model, x, "full")


@torch.no_grad()
def test_a_factor_is_dropped_before_the_next_is_made() -> None:
    model, x, _ = build("lenet")
    before: list[weakref.ref] = []

    def observe(_: str, factor: Factor) -> None:
        assert all(ref() is None for ref in before[:-1])
        before.append(weakref.ref(factor))

    streamed_kernel(model, "trace", x, None, make_plan(model, two_samples(x)), observe)
    assert len(before) >= 5


@torch.no_grad()
def test_gradients_are_formed_in_pieces_that_add_up() -> None:
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Conv2d(1, 64, 3), nn.Flatten(), nn.Linear(6400, 2)), torch.randn(2, 1, 12, 12)
    sizes: dict[str, int] = {}

    def visit(name: str, factor: Factor) -> None:
        if isinstance(factor, Gradients):
            sizes[name] = sizes.get(name, 0) + factor.features[0, 0].numel()

    plan = make_plan(model, two_samples(x))
    visit_factors(model, x, "full", plan, visit, 2 * 2 * 64 * 2)
    assert sizes == {"0.weight, 0.bias": 640}
