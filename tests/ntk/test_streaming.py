"""Kernels that are added up while one backward pass goes through the network."""

import weakref
from typing import Any

import pytest
import torch
from torch import nn

from ntkd_lib.ntk import assembly, traces
from ntkd_lib.ntk.assembly import streamed_kernel
from ntkd_lib.ntk.empirical import empirical_ntk
from ntkd_lib.ntk.factors import Factor, Gradients, Positions
from ntkd_lib.ntk.kinds import KINDS
from ntkd_lib.ntk.layout import make_plan, two_samples
from ntkd_lib.ntk.reference import reference_ntk
from ntkd_lib.ntk.structured import (
    TABLE,
    WholeJacobianWarning,
    structured_factors,
    structured_kernel,
    visit_factors,
)
from tests.ntk.faults import Net
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


def checked_factors(model: nn.Module, x: torch.Tensor) -> dict[str, Factor]:
    """Compute the factors of a trace kernel that equals the slow one."""
    with torch.no_grad():
        factors = structured_factors(model, x, "trace")
        kernel = structured_kernel(factors, factors, "trace")
    torch.testing.assert_close(kernel, reference_ntk(model, x).diagonal(dim1=2, dim2=3).sum(-1))
    return factors


TABLES = {  # words a sample, rows of the table: a few rows are looked up often enough to form their gradients
    "short": (12, TABLE * 12, Gradients),
    "a row too long": (12, TABLE * 12 + 1, Positions),
    "few words": (2, TABLE * 2, Positions),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_of_words_takes_the_cheaper_form(name: str) -> None:
    torch.manual_seed(0)
    words, rows, form = TABLES[name]
    table, read = nn.Embedding(rows, 4), nn.Linear(4, 2)
    model = Net(lambda s, x: s.read(s.table(x).mean(1).tanh()), table=table, read=read).double()
    x = torch.randint(rows, (5, words))
    factors = checked_factors(model, x)
    assert [*factors] == ["table.weight", "read.weight, read.bias"]
    assert isinstance(factors["table.weight"], form)


@pytest.mark.parametrize(("side", "form"), [(3, Positions), (12, Gradients)])
def test_a_convolution_takes_the_cheaper_form(side: int, form: type) -> None:
    torch.manual_seed(0)
    mean = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    model = nn.Sequential(nn.Conv2d(16, 64, 2), nn.Tanh(), mean, nn.Linear(64, 2)).double()
    x = torch.randn(3, 16, side, side, dtype=torch.float64)
    assert isinstance(checked_factors(model, x)["0.weight, 0.bias"], form)


class Doubled(torch.autograd.Function):
    """A function of the old style, which no transform takes."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return 2 * x

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        return 2 * gradient


def test_a_parameter_that_no_transform_reaches_is_computed_by_a_loop() -> None:
    torch.manual_seed(0)
    model = Net(lambda s, x: s.read(Doubled.apply(x * s.scale)), read=nn.Linear(4, 2))
    model.scale = nn.Parameter(torch.rand(4))
    model, x = model.double(), torch.randn(3, 4, dtype=torch.float64)
    with pytest.warns(WholeJacobianWarning, match="scale: not known"):
        kernel = empirical_ntk(model, x, kind="full", method="structured")
    torch.testing.assert_close(kernel, reference_ntk(model, x))


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
@pytest.mark.parametrize("place", [1, 4, 8])
def test_a_failure_while_a_parameter_is_added_up_is_raised(
    place: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, x, _ = build("dense", 40)
    plain, calls = assembly._KernelWriter.add, []

    def add(self: assembly._KernelWriter, *arguments: Any) -> None:
        calls.append(arguments)
        if len(calls) == place:
            raise RuntimeError("out of memory")
        plain(self, *arguments)

    monkeypatch.setattr(traces, "AT_ONCE", 0)
    monkeypatch.setattr(assembly._KernelWriter, "add", add)
    with pytest.raises(RuntimeError, match="out of memory"):
        empirical_ntk(model, x, kind="trace", method="structured", probe=False)


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
