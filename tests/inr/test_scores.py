"""Scores: every fast pass against an explicit kernel, automatic differentiation, or its definition."""

import subprocess
import sys

import pytest
import torch

from ntkd_lib.inr import scores
from ntkd_lib.inr.activations import value_and_slope
from ntkd_lib.inr.network import AnyNetwork, StackNetwork, wrap
from ntkd_lib.inr.networks import build
from ntkd_lib.inr.stack import DenseStack
from tests.inr.nets import STACKS, net, points


def jacobian(model, x):
    """The Jacobian by automatic differentiation, ``(n, c, p)``."""
    names = [name for name, _ in model.named_parameters()]

    def call(*parameters):
        return torch.func.functional_call(model, dict(zip(names, parameters, strict=True)), (x,))

    parts = torch.autograd.functional.jacobian(call, tuple(model.parameters()))
    return torch.cat([part.flatten(2) for part in parts], dim=2)


def kernel(model, x):
    """The explicit tangent kernel, ``(n c, n c)``."""
    J = jacobian(model, x).flatten(0, 1)
    return J @ J.T


@pytest.mark.parametrize("name", STACKS)
def test_fused_score_is_the_explicit_kernel_times_the_residual(name):
    model, (x, y) = net(name), points(300)
    found = scores.fused(DenseStack(model, chunk=64), x, y)
    g = (model(x) - y).detach()
    torch.testing.assert_close(found.residuals, g)
    expected = (kernel(model, x) @ g.flatten()).reshape(g.shape)
    torch.testing.assert_close(found.change, expected, rtol=1e-9, atol=1e-9 * expected.abs().max().item())


@pytest.mark.parametrize("keep", [0, 20_000, 2**30])
@pytest.mark.parametrize("chunk", [1, 7, 40, 100])
def test_chunks_and_memory_change_nothing(chunk, keep):
    model, (x, y) = net(), points()
    whole = scores.fused(DenseStack(model, chunk=40), x, y)
    part = scores.fused(DenseStack(model, chunk=chunk), x, y, keep=keep)
    torch.testing.assert_close(part.change, whole.change, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(part.residuals, whole.residuals)


@pytest.mark.parametrize("name", ["siren", "mlp", "hashgrid"])
def test_separate_route_agrees(name):
    model, (x, y) = net(name), points()
    g = (model(x) - y).detach()
    expected = (kernel(model, x) @ g.flatten()).reshape(g.shape)
    found = scores.separate(model, x, y, chunk=16)
    torch.testing.assert_close(found.change, expected, rtol=1e-8, atol=1e-10)
    torch.testing.assert_close(wrap(model).moved(x, y).change, expected, rtol=1e-8, atol=1e-10)


def test_a_step_has_single_precision():
    torch.manual_seed(0)
    model, (x, y) = build("siren", 2, 3, 256, 4), points(3000)
    twin = build("siren", 2, 3, 256, 4).double()
    twin.load_state_dict(model.state_dict())
    stack = StackNetwork(model)
    plain = build("siren", 2, 3, 256, 4)
    plain.load_state_dict(model.state_dict())
    errors = plain(x.float()) - y.float()
    errors.square().mean().backward()
    residuals = stack.gradient(x.float(), y.float())
    exact = StackNetwork(twin, chunk=700).gradient(x, y)
    assert stack.chunk == 512  # 512 points of 256 numbers stay in the cache
    grads = ([p.grad for p in each.parameters()] for each in (model, plain, twin))
    for single, torchs, double in [(residuals, errors, exact), *zip(*grads, strict=True)]:
        # on some processors PyTorch's own step is off by a little more than a millionth
        limit = max(1e-6 * double.norm(), 1.1 * (torchs.detach() - double).norm())
        assert (single - double).norm() <= limit


@pytest.mark.parametrize("name", STACKS)
def test_tangent_is_the_adjoint_of_backward(name):
    model, (x, y) = net(name), points()
    stack = DenseStack(model)
    kept = stack.record(x)
    torch.manual_seed(3)
    v = [(torch.randn_like(w), torch.randn_like(b)) for w, b in stack.zeros()]
    u = torch.randn_like(y)
    left = (stack.tangent(kept, v) * u).sum()
    pulled = stack.backward(kept, u)
    right = sum((a * b).sum() for pair in zip(v, pulled, strict=True) for a, b in zip(*pair, strict=True))
    torch.testing.assert_close(left, right)


def test_tangent_is_a_finite_difference():
    model, (x, _) = net(), points()
    stack, eps = DenseStack(model), 1e-6
    torch.manual_seed(4)
    v = [(torch.randn_like(w), torch.randn_like(b)) for w, b in stack.zeros()]
    before, expected = stack.predict(x), stack.tangent(stack.record(x), v)
    weights = [(layer.weight.data, layer.bias.data) for layer in stack.layers]
    for (weight, bias), (dw, db) in zip(weights, v, strict=True):
        weight.add_(eps * dw)
        bias.add_(eps * db)
    torch.testing.assert_close((stack.predict(x) - before) / eps, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", STACKS)
def test_leverage_is_the_diagonal_of_the_trace_kernel(name):
    model, (x, _) = net(name), points()
    expected = jacobian(model, x).square().sum((1, 2))
    torch.testing.assert_close(scores.leverage(DenseStack(model, chunk=16), x), expected)


def test_last_layer_score_is_the_kernel_of_its_weights():
    model, (x, y) = net(), points()
    stack = DenseStack(model, chunk=16)
    features = torch.cat([stack.record(x).inputs[-1], torch.ones(len(x), 1, dtype=torch.float64)], 1)
    g = model(x).detach() - y
    torch.testing.assert_close(scores.last_layer(stack, x, y).change, features @ features.T @ g)


def test_a_linear_network_has_the_kernel_of_its_inputs():
    x, y = points()
    model = torch.nn.Sequential(torch.nn.Linear(2, 3)).double()
    g = (model(x) - y).detach()
    expected = (x @ x.T + 1) @ g
    torch.testing.assert_close(scores.fused(DenseStack(model), x, y).change, expected)


def test_alignment_sums_to_the_first_order_fall_of_the_loss():
    model, (x, y) = net(), points()
    found = scores.fused(DenseStack(model), x, y)
    (0.5 * (model(x) - y).square().sum()).backward()
    squared = sum(p.grad.square().sum() for p in model.parameters())
    torch.testing.assert_close(found.alignment.sum(), squared)


@pytest.mark.parametrize("name", [*STACKS, "hashgrid"])
@pytest.mark.parametrize("weighted", [False, True])
def test_gradients_are_those_of_automatic_differentiation(name, weighted):
    model, (x, y) = net(name), points()
    weights = torch.linspace(0.5, 1.5, len(x), dtype=torch.float64) if weighted else None
    residual = model(x) - y
    factor = 1 if weights is None else weights[:, None]
    expected = torch.autograd.grad((factor * residual.square()).mean(), list(model.parameters()))
    for network in (wrap(model, chunk=16), AnyNetwork(model, chunk=16)):
        model.zero_grad()
        torch.testing.assert_close(network.gradient(x, y, weights), residual.detach())
        for p, gradient in zip(model.parameters(), expected, strict=True):
            torch.testing.assert_close(p.grad, gradient, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("name", STACKS)
def test_prediction_in_chunks_is_the_network(name):
    model, (x, _) = net(name), points()
    torch.testing.assert_close(StackNetwork(model, chunk=7).predict(x), model(x).detach())


def test_other_networks_are_refused_by_name():
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3), torch.nn.Linear(3, 1))
    with pytest.raises(TypeError, match=r"not a stack of dense layers: Linear, BatchNorm1d, Linear; allowed"):
        DenseStack(model)
    with pytest.raises(TypeError, match=r"the slope of Tanh is not known; allowed: Sine, ReLU, Gauss"):
        value_and_slope(torch.nn.Tanh(), torch.zeros(1, 1))


RISE = """
import resource
import torch
from ntkd_lib.inr.networks import build
from ntkd_lib.inr.scores import fused
from ntkd_lib.inr.stack import DenseStack

peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
stack = DenseStack(build("siren", 2, 3, 32, 4))
x, y = torch.rand(2**19, 2), torch.rand(2**19, 3)
fused(stack, x[:4096], y[:4096])
before = peak()
fused(stack, x, y, keep=32 * 2**20)
print(peak() - before)
"""


def test_memory_of_a_refresh_is_what_it_keeps_and_what_it_returns():
    done = subprocess.run([sys.executable, "-c", RISE], capture_output=True, text=True, check=True)
    results = 2 * 2**19 * 3 * 4 / 2**20  # MiB; all activations would take 640
    assert float(done.stdout) < 32 + results + 16
