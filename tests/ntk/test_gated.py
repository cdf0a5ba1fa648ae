"""Layers that are called for all samples, and whose output is used only if some sample is selected."""

from collections.abc import Callable
from contextlib import nullcontext

import pytest
import torch
from torch import Tensor, nn

from ntkd_lib.dntk import exact
from ntkd_lib.dntk.exact import chain_kernels
from ntkd_lib.ntk.blocked import blocked_ntk, laid_out
from ntkd_lib.ntk.empirical import empirical_ntk
from ntkd_lib.ntk.kinds import KINDS, Kind
from ntkd_lib.ntk.landmarks import LandmarkKernel
from ntkd_lib.ntk.layout import UnsettledError
from ntkd_lib.ntk.probe import SlowKernelWarning
from ntkd_lib.ntk.reference import reference_ntk
from tests.ntk.faults import Net


def gated(net: nn.Module, x: Tensor) -> Tensor:
    h = net.a(x).tanh()
    e, chosen = net.e(h), (x[:, 0] > 1.5).nonzero()[:, 0]
    return net.b(h.index_add(0, chosen, e[chosen]) if len(chosen) else h)


def gated_twice(net: nn.Module, x: Tensor) -> Tensor:
    h = net.e(net.a(x).tanh()).tanh()
    e, chosen = net.e(h), (x[:, 0] > 1.5).nonzero()[:, 0]
    return net.b(h.index_add(0, chosen, e[chosen]) if len(chosen) else h)


def one_of_two(net: nn.Module, x: Tensor) -> Tensor:
    sides = [(x[:, 0] > 1.5).nonzero()[:, 0], (x[:, 0] <= 1.5).nonzero()[:, 0]]
    heads, out = [net.a(x), net.b(x)], x.new_zeros(len(x), 3)
    for side, head in zip(sides, heads, strict=True):
        out = out.index_add(0, side, head[side]) if len(side) else out
    return out


def setting(run: Callable, n: int = 24) -> tuple[nn.Module, Tensor]:
    """Build a network in float64, and samples of which the first and the last are selected."""
    torch.manual_seed(0)
    heads = {"a": nn.Linear(4, 3), "b": nn.Linear(4, 3)}
    layers = {"a": nn.Linear(4, 10), "e": nn.Linear(10, 10), "b": nn.Linear(10, 3)}
    x = 0.3 * torch.randn(n, 4).double()
    x[0, 0] = x[-1, 0] = 2
    return Net(run, **(heads if run is one_of_two else layers)).double(), x


def fill_memory() -> None:
    """Leave numbers in the memory that the next tensors are written into."""
    junk = [torch.full((24, *shape), torch.nan).double() for shape in ((3, 10), (10,), (3,)) * 50]
    del junk


def close(kernel: Tensor, right: Tensor) -> None:
    assert (kernel - right).abs().max() <= 1e-10 * right.abs().max()


def reduced(kernel: Tensor, kind: Kind) -> Tensor:
    if kind == "full":
        return kernel
    diagonal = kernel.diagonal(dim1=2, dim2=3)
    return {"trace": diagonal.sum(-1), "per_class": diagonal.permute(2, 0, 1)}.get(kind, kernel.sum((2, 3)))


LOOPS = pytest.mark.filterwarnings("ignore::ntkd_lib.ntk.probe.SlowKernelWarning")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("block", [5, 24])
def test_blocks_hold_no_numbers_that_were_never_computed(kind: Kind, block: int) -> None:
    model, x = setting(gated)
    right = laid_out(reduced(reference_ntk(model, x), kind), kind)
    kernel = blocked_ntk(model, x, kind=kind, block=block, method="structured")
    fill_memory()
    close(torch.tensor(kernel.compute(scheduler="synchronous")), torch.tensor(right))


@pytest.mark.parametrize("kind", KINDS)
def test_tiles_in_which_no_sample_is_selected_contribute_nothing(kind: Kind) -> None:
    model, x = setting(gated)
    kernel = empirical_ntk(model, x, x[3:9], kind=kind, method="structured", tile=4).detach()
    close(kernel, reduced(reference_ntk(model, x, x[3:9]), kind))


@pytest.mark.parametrize("run", [gated_twice, one_of_two])
def test_factors_that_do_not_fit_together_are_computed_by_the_loop(run: Callable) -> None:
    model, x = setting(run)
    right = reduced(reference_ntk(model, x), "trace")
    with pytest.warns(SlowKernelWarning, match="change from batch to batch"):
        close(empirical_ntk(model, x, kind="trace", method="structured", tile=1).detach(), right)
    kernel = blocked_ntk(model, x, block=24, method="structured")
    fill_memory()
    with pytest.warns(SlowKernelWarning) if run is gated_twice else nullcontext():
        close(torch.tensor(kernel.compute(scheduler="synchronous")), right)


@LOOPS
@pytest.mark.parametrize("run", [gated, gated_twice, one_of_two])
def test_landmarks_and_samples_may_be_selected_apart(run: Callable) -> None:
    model, x = setting(run)
    landmarks = LandmarkKernel(model, x)
    features, diagonal = landmarks.features(x, chunk=8)
    right = reduced(reference_ntk(model, x), "trace")
    assert (features @ features.T - right).norm() <= 1e-5 * right.norm()
    close(diagonal, right.diagonal())


def test_a_chain_holds_no_numbers_that_were_never_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exact, "BATCH", 4)
    model, x = setting(gated)
    chain = [nn.Sequential(model, nn.Tanh()), nn.Linear(3, 2).double()]
    right = reduced(reference_ntk(nn.Sequential(*chain), x), "per_class")
    fill_memory()
    close(chain_kernels(chain, x), right)
    with pytest.raises(UnsettledError, match=r"e\.weight: its gradients change from batch to batch"):
        chain_kernels([setting(gated_twice)[0], nn.Linear(3, 2).double()], x)


@pytest.mark.parametrize("run", [gated, gated_twice])
def test_a_large_layer_may_be_left_out_for_one_of_two_probed_samples(run: Callable) -> None:
    model, x = setting(run, 2)
    model.a, model.e, model.b = nn.Linear(4, 520), nn.Linear(520, 520), nn.Linear(520, 3)
    model, x[1, 0] = model.double(), 0
    close(empirical_ntk(model, x, kind="trace").detach(), reduced(reference_ntk(model, x), "trace"))
