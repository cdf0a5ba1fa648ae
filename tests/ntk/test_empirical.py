"""The empirical kernel against its slow twin, closed forms and invariants."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ntkd_lib.nets.lenet import lenet
from ntkd_lib.ntk.checks import check_request
from ntkd_lib.ntk.empirical import empirical_ntk
from ntkd_lib.ntk.kinds import KINDS
from ntkd_lib.ntk.reference import reference_ntk
from ntkd_lib.ntk.structured import UnsupportedLayerError

METHODS = ("structured", "contraction")


class Tied(nn.Module):
    """One dense layer used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.dense(self.dense(x).relu())


def dense_net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3, bias=False), nn.Tanh(), nn.Linear(3, 4))


def conv_net() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(2, 3, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(3, 4, (2, 1), dilation=(2, 1), bias=False),
        nn.Flatten(),
        nn.Linear(32, 3),
    )


CASES = {
    "dense": (dense_net, (6,)),
    "convolutions": (conv_net, (2, 8, 8)),
    "lenet": (lenet, (1, 28, 28)),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    build, shape = CASES[request.param]
    return build(), torch.randn(3, *shape), torch.randn(2, *shape)


def expected(full: torch.Tensor, kind: str) -> torch.Tensor:
    if kind == "full":
        return full
    if kind == "pseudo":
        return full.sum((2, 3))
    diagonal = full.diagonal(dim1=2, dim2=3)
    return diagonal.sum(2) if kind == "trace" else diagonal.permute(2, 0, 1)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", KINDS)
def test_agrees_with_slow_twin(case: tuple, kind: str, method: str) -> None:
    model, x1, x2 = case
    for other in (None, x2):
        exact = expected(reference_ntk(model, x1, other), kind)
        for dtype, tolerance in ((torch.float64, 1e-12), (None, 1e-5)):
            found = empirical_ntk(model, x1, other, kind=kind, method=method, dtype=dtype).detach().double()
            assert (found - exact).norm() <= tolerance * exact.norm()


@pytest.mark.parametrize("tile", [1, 2, 5])
@pytest.mark.parametrize("kind", KINDS)
def test_tiles_change_nothing(kind: str, tile: int) -> None:
    torch.manual_seed(1)
    model, x1, x2 = dense_net().double(), torch.randn(5, 6).double(), torch.randn(3, 6).double()
    for other in (None, x2):
        whole = empirical_ntk(model, x1, other, kind=kind)
        torch.testing.assert_close(empirical_ntk(model, x1, other, kind=kind, tile=tile), whole)


@pytest.mark.parametrize("method", METHODS)
def test_own_kernel_is_symmetric_and_positive(case: tuple, method: str) -> None:
    model, x, _ = case
    kernel = empirical_ntk(model, x, kind="trace", method=method, dtype=torch.float64).detach()
    assert torch.equal(kernel, kernel.T)
    assert torch.linalg.eigvalsh(kernel).min() >= -1e-10 * kernel.trace()


@pytest.mark.parametrize("method", METHODS)
def test_gradient_by_finite_differences(method: str) -> None:
    torch.manual_seed(2)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()
    x = torch.randn(3, 3).double()

    def loss() -> torch.Tensor:
        return empirical_ntk(model, x, kind="trace", method=method).square().sum()

    (slope,) = torch.autograd.grad(loss(), model[0].weight)
    for place in ((0, 0), (3, 1)):
        step = torch.zeros_like(model[0].weight)
        step[place] = 1e-6
        with torch.no_grad():
            model[0].weight += step
        up = loss().item()
        with torch.no_grad():
            model[0].weight -= 2 * step
        down = loss().item()
        with torch.no_grad():
            model[0].weight += step
        assert (up - down) / 2e-6 == pytest.approx(slope[place].item(), rel=1e-5)


def test_frozen_parameters_do_not_count() -> None:
    torch.manual_seed(3)
    model, x = dense_net(), torch.randn(4, 6)
    model[0].weight.requires_grad_(False)
    model[4].requires_grad_(False)
    exact = reference_ntk(model, x)
    for method in METHODS:
        found = empirical_ntk(model, x, method=method, dtype=torch.float64).detach()
        torch.testing.assert_close(found, exact)


@given(st.integers(0, 2**31 - 1), st.integers(2, 6))
@settings(max_examples=20, deadline=None, derandomize=True)
def test_permuting_inputs_permutes_the_kernel(seed: int, n: int) -> None:
    torch.manual_seed(seed)
    model, x, order = dense_net().double(), torch.randn(n, 6).double(), torch.randperm(n)
    kernel = empirical_ntk(model, x, kind="trace")
    torch.testing.assert_close(empirical_ntk(model, x[order], kind="trace"), kernel[order][:, order])


@given(st.floats(0.1, 10))
@settings(max_examples=10, deadline=None, derandomize=True)
def test_scaling_the_output_scales_the_kernel_by_its_square(factor: float) -> None:
    class Scaled(nn.Module):
        def __init__(self, inner: nn.Module) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return factor * self.inner(x)

    torch.manual_seed(4)
    model, x = dense_net().double(), torch.randn(3, 6).double()
    torch.testing.assert_close(empirical_ntk(Scaled(model), x), factor**2 * empirical_ntk(model, x))


def test_additive_over_disjoint_parameters() -> None:
    torch.manual_seed(5)
    model, x = dense_net().double(), torch.randn(4, 6).double()
    whole = empirical_ntk(model, x, kind="trace").detach()
    parts = torch.zeros_like(whole)
    for chosen in model.parameters():
        for parameter in model.parameters():
            parameter.requires_grad_(parameter is chosen)
        parts += empirical_ntk(model, x, kind="trace").detach()
    torch.testing.assert_close(parts, whole)


def test_linear_model_gives_the_gram_matrix() -> None:
    x = torch.randn(5, 7).double()
    model = nn.Linear(7, 1, bias=False).double()
    torch.testing.assert_close(empirical_ntk(model, x, kind="trace").detach(), x @ x.T)


def test_auto_falls_back_for_tied_weights() -> None:
    torch.manual_seed(6)
    model, x = Tied(), torch.randn(3, 4)
    torch.testing.assert_close(empirical_ntk(model, x, dtype=torch.float64).detach(), reference_ntk(model, x))
    with pytest.raises(UnsupportedLayerError, match="layer 'dense': is used twice in one forward pass"):
        empirical_ntk(model, x, method="structured")


@pytest.mark.parametrize(
    "change, text",
    [
        ({"method": "fast"}, "method: got 'fast', allowed are auto, contraction, structured"),
        ({"tile": 0}, "tile: got 0, needs at least 1 row"),
        ({"x1": torch.zeros(0, 6)}, "inputs: got an empty batch, needs at least one sample"),
        ({"x2": torch.zeros(2, 5)}, r"x2: got samples of shape \(5,\), x1 has \(6,\)"),
    ],
)
def test_refusals_name_what_came(change: dict, text: str) -> None:
    arguments = {"model": dense_net(), "x1": torch.zeros(2, 6)} | change
    with pytest.raises(ValueError, match=text):
        empirical_ntk(**arguments)


def test_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="kind: got 'fulll', allowed are full, trace, per_class, pseudo"):
        check_request(torch.zeros(2, 6), None, "fulll", "auto", None)


def test_layers_that_mix_samples_are_refused_by_name() -> None:
    norm = nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4))
    with pytest.raises(ValueError, match="layer '1': BatchNorm1d in training mode mixes samples"):
        empirical_ntk(norm, torch.zeros(2, 6))
    with pytest.raises(ValueError, match="layer '1': dropout in training mode is random"):
        empirical_ntk(nn.Sequential(nn.Linear(6, 4), nn.Dropout()), torch.zeros(2, 6))
    with pytest.raises(ValueError, match="model: got no trainable parameter"):
        empirical_ntk(nn.Flatten(), torch.zeros(2, 6))


def test_same_call_twice_gives_the_same_bits() -> None:
    torch.manual_seed(7)
    model, x = lenet(), torch.randn(3, 1, 28, 28)
    assert torch.equal(empirical_ntk(model, x, kind="trace"), empirical_ntk(model, x, kind="trace"))
