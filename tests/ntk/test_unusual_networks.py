"""Networks that mix types, hold weights in closures or change themselves: right values, or one clear line."""

import io

import dask.array as da
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations
from torch.nn.utils import weight_norm as old_weight_norm

from ntkd_lib.ntk import (
    KroneckerSketch,
    LandmarkKernel,
    NTKOperator,
    blocked_ntk,
    choose_ridge,
    dense_kernels,
    empirical_ntk,
    jvp_features,
    ridge_solve,
    sketched_features,
    structured,
)
from ntkd_lib.ntk.factors import OnePosition
from ntkd_lib.ntk.probe import SlowKernelWarning


def gram(features):
    return torch.einsum("ick,jck->ij", features, features)


def distance(first, second):
    return ((first - second).norm() / second.norm()).item()


class Stopped(nn.Module):
    """No gradient passes through its first layer."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 6), nn.Linear(6, 2)

    def forward(self, x):
        with torch.no_grad():
            hidden = self.a(x).tanh()
        return self.b(hidden)


class Complex(nn.Module):
    def __init__(self):
        super().__init__()
        values = [[1j, 2.0, 1 + 1j], [1.0, 1j, 3.0]]
        self.w = nn.Parameter(torch.tensor(values, dtype=torch.cdouble))

    def forward(self, x):
        return (x.to(self.w.dtype) @ self.w).abs()


@pytest.mark.parametrize("network, width", [(Stopped, 4), (Complex, 2)])
def test_random_features_move_what_reverse_mode_moves(network, width):
    torch.manual_seed(0)
    model, x = network().double(), torch.randn(3, width, dtype=torch.float64)
    kernel = empirical_ntk(model, x, kind="trace")
    assert distance(gram(jvp_features(model, x, 10_000, chunk=5000)), kernel) < 0.03


class Closure(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.scale = nn.Linear(4, 3), nn.Parameter(torch.rand(3))
        self.act = lambda hidden: hidden.tanh() * self.scale

    def forward(self, x):
        return self.act(self.a(x))


@pytest.mark.parametrize("parts", [False, True])
def test_a_converted_copy_that_reaches_the_original_is_refused(parts):
    x = torch.randn(3, 4)
    with pytest.raises(ValueError, match=r"^dtype: got a network whose closures or hooks hold weights"):
        empirical_ntk(Closure(), (x,) if parts else x, kind="trace", dtype=torch.float64)


@pytest.mark.parametrize("shape", [(6, 2), (24, 1)])
def test_an_operator_takes_vectors_of_its_own_length(shape):
    columns = torch.ones(shape)
    operator = NTKOperator(nn.Linear(4, 2), torch.randn(6, 4))
    with pytest.raises(ValueError, match=r"^v: got shape \(\d+, \d\), needs \(12, k\)$"):
        operator.matmul(columns)
    with pytest.raises(ValueError, match=r"^v: got shape"):
        operator.gram(columns)


class Mixed(nn.Module):
    """Its first layer is finished last and has fewer digits."""

    def __init__(self, first, last):
        super().__init__()
        self.a, self.b, self.last = nn.Linear(16, 16).to(first), nn.Linear(16, 4).to(last), last

    def forward(self, x):
        return self.b(self.a(x.to(self.a.weight.dtype)).to(self.last).tanh())


@pytest.mark.parametrize("first, last", [(torch.bfloat16, torch.float32), (torch.float32, torch.float64)])
def test_parts_of_a_kernel_add_up_in_the_wider_type(first, last):
    torch.manual_seed(0)
    model, x = Mixed(first, last), torch.randn(5, 16)
    kernels = [empirical_ntk(model, x, kind="trace", method=m) for m in ("structured", "contraction")]
    assert {kernel.dtype for kernel in kernels} == {last}
    assert distance(*kernels) < torch.finfo(first).eps


def gradients(model, x):
    """Stack the gradients of a sample's logits, one backward pass each."""
    weights = list(model.parameters())
    rows = [torch.autograd.grad(logit, weights, retain_graph=True) for logit in model(x)[0]]
    return torch.stack([torch.cat([part.flatten() for part in row]) for row in rows])


class Autocast(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.dense = nn.Conv2d(1, 3, 3), nn.Linear(48, 2)

    def forward(self, x):
        with torch.autocast("cpu", torch.bfloat16):
            return self.dense(self.conv(x).flatten(1).relu()).float()


def test_layers_under_autocast_have_the_kernel_of_their_loop():
    torch.manual_seed(0)
    model, x = Autocast(), torch.rand(3, 1, 6, 6)
    kernel = empirical_ntk(model, x, kind="trace")
    assert kernel.dtype == torch.float32
    jacobian = torch.stack([gradients(model, sample[None]) for sample in x])
    assert distance(kernel, gram(jacobian)) < 0.02


def test_a_normalisation_in_float32_keeps_the_type_of_its_inputs():
    wide = nn.Linear(16, 8).bfloat16(), nn.BatchNorm1d(8), nn.Linear(8, 2).bfloat16()
    kernel = empirical_ntk(nn.Sequential(*wide).eval(), torch.randn(2, 16).bfloat16())
    assert kernel.isfinite().all()


def test_a_fault_in_a_function_network_brings_the_loop(monkeypatch):
    weights, x = {"w": torch.randn(3, 4)}, torch.randn(5, 4)

    def network(p, inputs):
        return nn.functional.linear(inputs, p["w"]).tanh()

    exact = empirical_ntk(network, x, kind="trace", parameters=weights)
    wrong = lambda inputs, signals, bias: OnePosition(2 * inputs, signals, bias)  # noqa: E731
    monkeypatch.setattr(structured, "OnePosition", wrong)
    with pytest.warns(SlowKernelWarning):
        kernel = empirical_ntk(network, x, kind="trace", parameters=weights)
    torch.testing.assert_close(kernel, exact)


@pytest.mark.filterwarnings("ignore:.*weight_norm.*is deprecated")
def test_weights_made_by_old_hooks_can_be_saved_afterwards():
    model = nn.Sequential(old_weight_norm(nn.Linear(4, 5)), nn.Tanh(), nn.Linear(5, 2)).eval()
    empirical_ntk(model, torch.randn(3, 4))
    torch.save(model, io.BytesIO())


class Counting(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(4, 3)
        self.register_buffer("passes", torch.zeros(()))

    def forward(self, x):
        self.passes += 1
        return self.a(x)


def test_a_network_in_evaluation_mode_keeps_its_buffers():
    model = Counting().eval()
    empirical_ntk(model, torch.randn(3, 4))
    assert model.passes == 0


def test_a_network_that_cannot_be_sent_is_refused_in_one_line():
    model = nn.Sequential(parametrizations.weight_norm(nn.Linear(4, 3)))
    with pytest.raises(ValueError, match=r"^model: cannot be sent to workers: Serialization of .*\(\)$"):
        blocked_ntk(model, torch.randn(4, 4))


@pytest.mark.parametrize("floor", [-1.0, 1.0, 2.0, float("nan")])
def test_a_floor_is_a_share(floor):
    with pytest.raises(ValueError, match=rf"^floor: got {floor}, needs a number from 0 to below 1$"):
        LandmarkKernel(nn.Linear(4, 2), torch.randn(6, 4), floor=floor)


def test_products_that_overflow_are_refused():
    with pytest.raises(ValueError, match=r"^x1: its products are too large for torch.float32"):
        dense_kernels(torch.full((2, 3), 1e20), depth=1, dtype=torch.float32)


def test_a_validation_that_is_not_finite_is_refused():
    theta = torch.eye(3, dtype=torch.float64)
    cross = torch.tensor([[1.0, float("nan"), 0.0]])
    with pytest.raises(ValueError, match=r"^validation: got a kernel or targets with values that are not"):
        choose_ridge(
            theta, torch.ones(3, 1), [0.1, 1.0], by="validation", validation=(cross, torch.ones(1, 1))
        )


def test_a_residual_that_parts_from_the_iterations_own_is_an_error():
    generator = np.random.default_rng(0)
    factor = generator.normal(size=(60, 5))
    kernel = 1e4 * factor @ factor.T / np.linalg.norm(factor.T @ factor, 2)
    with pytest.raises(RuntimeError, match=r"^ridge_solve: residual .* wanted 1e-06; raise the ridge"):
        ridge_solve(da.from_array(kernel, chunks=30), generator.normal(size=(60, 2)), 1e-9)


def test_sketches_of_sequences_of_two_lengths_belong_together():
    torch.manual_seed(0)
    dense, read_out = nn.Linear(8, 8), nn.Linear(8, 1)

    class Mean(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.r = dense, read_out

        def forward(self, x):
            return self.r(self.a(x).tanh().mean(1))

    model, short = Mean(), torch.randn(1, 2, 8)
    long = short.repeat(1, 150, 1)
    kernel = empirical_ntk(model, short, kind="trace").item()

    def product(seed):
        sketch = KroneckerSketch(64, seed=seed)
        first, second = (sketched_features(model, [part], sketch) for part in (short, long))
        return (first * second).sum().item()

    products = torch.tensor([product(seed) for seed in range(200)])
    assert abs(products.mean() - kernel) < 4 * products.std() / 200**0.5
