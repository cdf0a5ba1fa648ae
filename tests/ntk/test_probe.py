"""The probe: one entry of a kernel against plain autograd on single samples."""

import warnings
from collections.abc import Iterator

import pytest
import torch
from torch import nn

from benchmarks.precision import bfloat16_products
from ntkd_lib.nets.unet import ShuffledNetwork, UNet
from ntkd_lib.ntk import probe
from ntkd_lib.ntk.empirical import empirical_ntk
from ntkd_lib.ntk.factors import OnePosition
from ntkd_lib.ntk.kinds import KINDS
from ntkd_lib.ntk.outlines import LARGE
from ntkd_lib.ntk.probe import ProbeError, SlowKernelWarning, check_kernel
from ntkd_lib.ntk.reference import reference_ntk
from tests.ntk.faults import Net
from tests.ntk.nets import build
from tests.ntk.test_faults import loop_jacobian


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["dense", "lenet", "tied embedding"])
def test_right_kernels_pass_and_wrong_ones_do_not(name: str, kind: str) -> None:
    model, x, y = build(name, 5, 4)
    state = torch.get_rng_state()
    for other in (None, y):
        kernel = empirical_ntk(model, x, other, kind=kind).detach()
        for _ in range(4):
            check_kernel(model, kernel, x, other, kind=kind)
            with pytest.raises(ProbeError, match=r"kernel: its entry of samples . and . differs"):
                check_kernel(model, 1.01 * kernel, x, other, kind=kind)
    assert torch.equal(state, torch.get_rng_state())
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.filterwarnings("ignore::ntkd_lib.ntk.structured.WholeJacobianWarning")
@pytest.mark.parametrize("scales", [{"alpha": 0.5}, {"beta": 0.5}, {"alpha": -2, "beta": 0}])
def test_large_weights_in_products_that_are_scaled(scales: dict) -> None:
    """Of weights this large the check keeps the signal and the input of their product."""
    torch.manual_seed(0)
    side = int(LARGE**0.5)
    model = Net(
        lambda s, x: s.h(torch.addmm(s.b, x, s.w.t(), **scales).tanh()),
        w=nn.Parameter(torch.randn(side, side) / side**0.5),
        b=nn.Parameter(torch.randn(side)),
        h=nn.Linear(side, 2),
    ).double()
    x = torch.randn(3, side).double()
    jacobian = loop_jacobian(model, x)
    exact = torch.einsum("ncp,mcp->nm", jacobian, jacobian)
    for method in ("auto", "structured", "contraction", "products"):
        kernel = empirical_ntk(model, x, kind="trace", method=method).detach()
        assert (kernel - exact).norm() <= 1e-9 * exact.norm()
    with pytest.raises(ProbeError, match="differs from plain autograd"):
        check_kernel(model, 1.01 * kernel, x)


def test_rounding_that_a_network_amplifies_is_no_fault() -> None:
    """A random U-Net of float32 is up to 0.05 % off its float64 twin, by autograd as by any other way."""
    torch.manual_seed(7)
    model = nn.Sequential(
        ShuffledNetwork(UNet(12, 4, 12, 3), 2), nn.AdaptiveAvgPool2d(2), nn.Flatten()
    ).eval()
    images = torch.rand(6, 3, 160, 240)
    for _ in range(8):
        empirical_ntk(model, images, kind="trace")


@pytest.mark.parametrize("tile", [None, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_a_probe_costs_one_pass_forwards_and_two_backwards(kind: str, tile: int | None, monkeypatch) -> None:
    model, x, _ = build("lenet", 7, 4)
    forwards, backwards, plain = [], [], probe.outlined_gradient
    model.register_forward_hook(lambda *_: forwards.append(1))
    monkeypatch.setattr(probe, "outlined_gradient", lambda *parts: (backwards.append(1), plain(*parts))[1])
    counts = []
    for with_probe in (False, True):
        forwards.clear()
        empirical_ntk(model, x, kind=kind, method="structured", tile=tile, probe=with_probe)
        counts.append(len(forwards))
    assert counts[1] == counts[0] + 1
    assert len(backwards) == 2


def test_a_kink_that_two_ways_of_rounding_pass_on_either_side_is_no_fault(monkeypatch) -> None:
    """A unit whose ReLU is on in a batch of float32 alone."""

    class Kinked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(8, 400), nn.Linear(400, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.a(x)
            shift = 1e-7 if x.dtype == torch.float32 and len(x) > 2 else -1e-7
            edge = y[:, :1] - y[:, :1].detach() + shift
            return self.b(torch.cat([edge, y[:, 1:]], 1).relu())

    torch.manual_seed(0)
    model, x = Kinked(), torch.randn(20, 8)
    calls, plain = [], probe.Probe._is_rounding
    monkeypatch.setattr(
        probe.Probe, "_is_rounding", lambda *parts: (calls.append(plain(*parts)), calls[-1])[1]
    )
    for kind in KINDS:
        empirical_ntk(model, x, kind=kind, method="structured")
    assert calls
    assert all(calls)


class Halves(nn.Module):
    """A body and a head of two types."""

    def __init__(self, body: torch.dtype, head: torch.dtype) -> None:
        super().__init__()
        layers = [part for _ in range(4) for part in (nn.Linear(16, 16), nn.ReLU())]
        self.body = nn.Sequential(*layers).to(body)
        self.head = nn.Linear(16, 3).to(head)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x.to(self.body[0].weight.dtype)).to(self.head.weight.dtype))


@pytest.mark.parametrize("method", ["structured", "contraction", "products"])
@pytest.mark.parametrize(
    "body, head", [(torch.float32, torch.float64), (torch.bfloat16, torch.float32)], ids=str
)
def test_a_body_of_less_precision_than_its_head_is_no_fault(body, head, method) -> None:
    torch.manual_seed(0)
    model, x = Halves(body, head), torch.randn(12, 16)
    exact = empirical_ntk(model, x, kind="trace", dtype=torch.float64)
    for _ in range(6):
        kernel = empirical_ntk(model, x, kind="trace", method=method)
        assert (kernel - exact).norm() <= 8 * torch.finfo(body).eps * exact.norm()
    check_kernel(model, kernel, x)
    with pytest.raises(ProbeError, match="differs from plain autograd"):
        check_kernel(model, 4 * kernel, x)


@pytest.fixture
def rounded_products() -> Iterator[None]:
    """Let PyTorch round the factors of float32 products, which a CPU without AMX does not."""
    with bfloat16_products():
        yield


def deep(layer: nn.Module | None = None) -> nn.Module:
    torch.manual_seed(0)
    hidden = [part for _ in range(6) for part in (nn.Linear(64, 64), nn.ReLU())]
    return nn.Sequential(nn.Linear(16, 64), *hidden, *([layer] if layer else []), nn.Linear(64, 3))


@pytest.mark.usefixtures("rounded_products")
@pytest.mark.parametrize("kind", KINDS)
def test_products_that_pytorch_rounds_are_no_fault(kind: str) -> None:
    model, x = deep(), torch.randn(40, 16)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kernels = [empirical_ntk(model, x, kind=kind).detach() for _ in range(6)]
    exact = empirical_ntk(model.double(), x.double(), kind=kind)
    for kernel in kernels:
        assert (kernel.double() - exact).norm() <= 0.1 * exact.norm()
        check_kernel(model.float(), kernel, x, kind=kind)
        with pytest.raises(ProbeError, match="differs from plain autograd"):
            check_kernel(model, 2 * kernel, x, kind=kind)


class HalfOfTheMean(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + 0.5 * x.mean(0, keepdim=True)


@pytest.mark.usefixtures("rounded_products")
def test_rounded_products_do_not_hide_samples_that_mix() -> None:
    with pytest.raises(ValueError, match="the output for a sample changes with the rest of its batch"):
        empirical_ntk(deep(HalfOfTheMean()), torch.randn(40, 16))
    with pytest.raises(ValueError, match="with the rest of its batch, no tangent kernel exists"):
        empirical_ntk(deep(HalfOfTheMean()), 1 + 0.05 * torch.randn(40, 16))  # less than the rounding


@pytest.mark.usefixtures("rounded_products")
def test_rounded_products_do_not_hide_a_fault_of_one_per_cent(monkeypatch) -> None:
    """Its size is that of the rounding, so that a comparison in float64 decides."""
    model, x, plain = deep(), torch.randn(40, 16), OnePosition.pair
    monkeypatch.setattr(OnePosition, "pair", lambda *parts: 1.01 * plain(*parts))
    for _ in range(6):
        with pytest.warns(SlowKernelWarning, match="off plain autograd"):
            empirical_ntk(model, x, kind="trace", method="structured")


class OfOneType(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ torch.eye(64)


@pytest.mark.usefixtures("rounded_products")
def test_a_network_that_cannot_run_in_float64_is_checked_as_it_is(monkeypatch) -> None:
    model, x, plain = deep(OfOneType()), torch.randn(40, 16), OnePosition.pair
    monkeypatch.setattr(OnePosition, "pair", lambda *parts: 2 * plain(*parts))
    with pytest.warns(SlowKernelWarning, match="off plain autograd"):
        kernel = empirical_ntk(model, x, kind="trace", method="structured").detach()
    check_kernel(model, kernel, x)


@pytest.mark.usefixtures("rounded_products")
@pytest.mark.parametrize("transposed", [False, True])
def test_rows_of_samples_that_are_alike_keep_their_order(transposed: bool) -> None:
    """Samples that differ by less than the rounding lie in a layer's rows one after or beside the other."""

    class Rows(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(4, 8), nn.Linear(24, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            rows = x.transpose(0, 1) if transposed else x
            hidden = self.a(rows.flatten(0, 1)).tanh().view(*rows.shape[:2], 8)
            return self.b((hidden.transpose(0, 1) if transposed else hidden).flatten(1))

    torch.manual_seed(0)
    model, x = Rows(), torch.randn(1, 1, 4) + 0.01 * torch.randn(20, 3, 4)
    exact = reference_ntk(model, x).diagonal(dim1=2, dim2=3).sum(-1)
    kernel = empirical_ntk(model, x, kind="trace", method="structured", probe=False)
    assert (kernel - exact).norm() <= 0.05 * exact.norm()
