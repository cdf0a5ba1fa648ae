"""Gradients of kernels through operations whose second derivatives torch's transforms get wrong."""

import warnings
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.functional import instance_norm, layer_norm

from ntkd_lib.ntk import jvp_features
from ntkd_lib.ntk.empirical import empirical_ntk
from ntkd_lib.ntk.probe import SlowKernelWarning
from tests.ntk.faults import Net


def plain_norm(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return torch.nn.functional.layer_norm(x, [6], weight, bias)


def plain_product(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return (x * weight).tanh() * x + bias


with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
    scripted_norm, scripted_product = torch.jit.script(plain_norm), torch.jit.script(plain_product)


def matrices(s: nn.Module, x: Tensor) -> Tensor:
    diagonal = torch.arange(3.0, 9.0, dtype=x.dtype)
    return torch.diag(diagonal) + 0.1 * (torch.outer(s.w, s.v) + x[:, :, None] * x[:, None])


def of_one_sample(s: nn.Module, x: Tensor) -> Tensor:
    options = (None, None, True, 0.1, 1e-5, False)
    rows = [torch.batch_norm(row.view(3, 2), s.w[:2], s.v[:2], *options) for row in x]
    return torch.stack(rows).flatten(1)


def images(s: nn.Module, x: Tensor, norm: Callable) -> Tensor:
    return norm(x.view(-1, 2, 3), weight=s.w[:2], bias=s.v[:2]).flatten(1)


def torch_instance_norm(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return torch.instance_norm(x, weight, bias, None, None, True, 0.0, 1e-5, False)


NORMS = {
    "torch.layer_norm": lambda s, x: torch.layer_norm(x, (6,), s.w, s.v),
    "by keywords": lambda s, x: torch.layer_norm(input=x, normalized_shape=(6,), weight=s.w, bias=s.v),
    "layer_norm": lambda s, x: layer_norm(x, (6,), s.w, s.v),
    "instance_norm": lambda s, x: images(s, x, instance_norm),
    "torch.instance_norm": lambda s, x: images(s, x, torch_instance_norm),
    "nn.functional": lambda s, x: functional.layer_norm(x, (6,), s.w, s.v),
    "fixed statistics": lambda s, x: torch.batch_norm(x, s.w, s.v, s.m, s.m, False, 0.1, 1e-5, False),
}
# Names that cannot be replaced, so that a loop takes over from the transforms, or the structured method.
HIDDEN = {
    "native_layer_norm": lambda s, x: torch.native_layer_norm(x, (6,), s.w, s.v, 1e-5)[0],
    "without parameters": lambda s, x: torch.native_layer_norm(x, (6,), None, None, 1e-5)[0],
    "aten": lambda s, x: torch.ops.aten.layer_norm(x, (6,), s.w, s.v),
    "script": lambda s, x: scripted_norm(x, s.w, s.v),
    "script of products": lambda s, x: scripted_product(x, s.w, s.v),
    "statistics of one sample": of_one_sample,
}
# Forward mode alone is wrong.
SOLVERS = {
    "solve": lambda s, x: torch.linalg.solve(matrices(s, x), x[:, :, None])[:, :, 0],
    "slogdet": lambda s, x: torch.linalg.slogdet(matrices(s, x))[1][:, None] * x,
    "det": lambda s, x: torch.linalg.det(matrices(s, x))[:, None] * x * 1e-3,
    "householder": lambda s, x: torch.linalg.householder_product(0.1 * matrices(s, x), x).sum(1),
}


def network(run: Callable) -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    model = Net(
        lambda s, x: s.b(run(s, s.a(x)).tanh()),
        a=nn.Linear(4, 6),
        b=nn.Linear(6, 2),
        w=nn.Parameter(torch.rand(6)),
        v=nn.Parameter(torch.rand(6)),
    )
    model.register_buffer("m", torch.rand(6) + 0.5)
    return model.double(), torch.randn(3, 4).double()


def looped(model: nn.Module, x: Tensor) -> Tensor:
    """Compute the trace kernel of single samples, differentiable twice by plain autograd."""
    parameters, rows = list(model.parameters()), []
    for logits in (model(sample)[0] for sample in x.split(1)):
        slopes = [
            torch.autograd.grad(y, parameters, create_graph=True, materialize_grads=True) for y in logits
        ]
        rows.append(torch.cat([g.flatten() for slope in slopes for g in slope]))
    return torch.stack(rows) @ torch.stack(rows).T


def slopes(model: nn.Module, kernel: Tensor) -> Tensor:
    weights = torch.arange(1.0, 1 + kernel.numel()).view_as(kernel).to(kernel)
    parts = torch.autograd.grad((weights * kernel).sum(), list(model.parameters()), materialize_grads=True)
    return torch.cat([part.flatten() for part in parts])


@pytest.mark.filterwarnings("ignore::ntkd_lib.ntk.structured.WholeJacobianWarning")
@pytest.mark.filterwarnings("ignore::ntkd_lib.ntk.probe.SlowKernelWarning")
@pytest.mark.parametrize("method", ["auto", "structured", "contraction", "products"])
@pytest.mark.parametrize("name", [*NORMS, *HIDDEN, *SOLVERS])
def test_gradients_are_those_of_plain_autograd(name: str, method: str) -> None:
    model, x = network((NORMS | HIDDEN | SOLVERS)[name])
    exact = looped(model, x)
    kernel = empirical_ntk(model, x, kind="trace", method=method)
    torch.testing.assert_close(kernel, exact, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(slopes(model, kernel), slopes(model, exact), rtol=1e-7, atol=1e-9)


@pytest.mark.filterwarnings("error::ntkd_lib.ntk.probe.SlowKernelWarning")
@pytest.mark.parametrize("method", ["contraction", "products"])
@pytest.mark.parametrize("name", [*NORMS, *HIDDEN])
def test_transforms_run_where_no_gradient_is_asked_for_or_it_is_right(name: str, method: str) -> None:
    model, x = network((NORMS | HIDDEN)[name])
    with torch.set_grad_enabled(name in NORMS):
        empirical_ntk(model, x, kind="trace", method=method)


def test_a_method_without_a_right_gradient_names_the_operation() -> None:
    model, x = network(SOLVERS["solve"])
    with pytest.warns(SlowKernelWarning, match="'products': has no right gradient .* LinalgSolveEx"):
        empirical_ntk(model, x, kind="trace", method="products")


@pytest.mark.filterwarnings("ignore::ntkd_lib.ntk.probe.SlowKernelWarning")
@pytest.mark.parametrize("name", ["torch.layer_norm", "aten", "solve"])
def test_gradients_of_features_are_those_of_their_kernel(name: str) -> None:
    model, x = network((NORMS | HIDDEN | SOLVERS)[name])
    parameters = list(model.parameters())
    total = jvp_features(model, x, 4, seed=1).square().sum()
    parts = torch.autograd.grad(total, parameters, materialize_grads=True)
    direction, values = [torch.randn_like(p) for p in parameters], []
    for step in (1e-5, -2e-5):
        with torch.no_grad():
            for p, d in zip(parameters, direction, strict=True):
                p += step * d
            values.append(jvp_features(model, x, 4, seed=1).square().sum().item())
    slope = sum((a * b).sum() for a, b in zip(parts, direction, strict=True)).item()
    assert (values[0] - values[1]) / 2e-5 == pytest.approx(slope, rel=1e-6)
